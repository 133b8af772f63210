internal import CHost
internal import Glibc

/// What this host's processor can do for machines.
package struct HostProbe {
    package struct Verdict: Sendable, Codable, Equatable {
        package var accelerator: Accelerator
        /// One sentence, for `doctor` and the log.
        package var reason: String
        /// Rounded to 1 MHz, so that a new measurement gives the same. 0 where there is no such counter.
        package var tscKilohertz: Int
        /// Release of the kernel: with another one the verdict may be another.
        package var hostKernel: String
        package var cpuModel: String
    }

    /// Runs a few instructions with KVM in a child, never trusting that /dev/kvm opens. Blocks for 50 ms, at worst 3 s.
    package static func run() -> Verdict {
        var found = chost_kvm_verdict()
        chost_kvm_probe(&found)
        return Verdict(
            accelerator: found.step == chost_kvm_good.rawValue ? .kvm : .tcg, reason: reason(found),
            tscKilohertz: Int((chost_tsc_kilohertz() + 500) / 1000 * 1000), hostKernel: kernel(), cpuModel: model())
    }

    static func reason(_ found: chost_kvm_verdict) -> String {
        let error = HostError.text(found.error)
        let exit = "exit \(found.exit_reason)\(found.suberror == 0 ? "" : ", suberror \(found.suberror)")"
        let software = "machines run in software"
        switch chost_kvm_step(UInt32(bitPattern: found.step)) {
        case chost_kvm_good:
            return "KVM ran the probe's instructions and its loop in \(found.microseconds / 1000) ms."
        case chost_kvm_open:
            switch found.error {
            case ENOENT, ENODEV, ENXIO: return "There is no KVM (/dev/kvm: \(error)), so \(software)."
            case EACCES, EPERM: return "This user may not open /dev/kvm (\(error)), so \(software)."
            default: return "/dev/kvm does not open (\(error)), so \(software)."
            }
        case chost_kvm_setup: return "KVM opens but makes no machine (\(error)), so \(software)."
        case chost_kvm_instructions:
            let what = found.error == EINTR ? "did not end in time" : "failed (\(exit))"
            return "KVM opens, but ordinary kernel instructions \(what): it is emulated here, so \(software)."
        case chost_kvm_speed:
            let what = found.error == EINTR ? "was too slow" : "failed (\(exit))"
            return "KVM opens, but a short loop \(what), so \(software)."
        case chost_kvm_hung: return "KVM opens, but the probe hung, so \(software)."
        default: return "KVM is not used on this processor architecture, so \(software)."
        }
    }

    private static func kernel() -> String {
        let text = (try? SystemFile.text("/proc/sys/kernel/osrelease")) ?? "unknown"
        return String(text.prefix { $0 != "\n" })
    }

    private static func model() -> String {
        let lines = (try? SystemFile.text("/proc/cpuinfo"))?.split(separator: "\n") ?? []
        let line = lines.first { $0.hasPrefix("model name") }
        return line?.split(separator: ":", maxSplits: 1).last.map { String($0.drop { $0 == " " }) } ?? "unknown"
    }
}
