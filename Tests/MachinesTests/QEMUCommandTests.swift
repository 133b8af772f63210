import Glibc
import HostSystem
import Testing

@testable import Machines

@Suite("QEMU's command line")
struct QEMUCommandTests {
    private func command(_ accelerator: Accelerator = .tcg, restores: Bool, hasNetwork: Bool = true) throws
        -> QEMUCommand
    {
        let file = try FileDescriptor.open("/dev/null", O_RDWR)
        return QEMUCommand(
            name: "mags-test", accelerator: accelerator, size: .standard,
            start: restores
                ? .restore(state: file, layer: file, isWake: false)
                : .boot(
                    kernel: file, initramfs: file,
                    parameters: KernelParameters.text(accelerator: accelerator, tscKilohertz: 2_500_000)),
            monitor: file, wire: file, memory: file, root: file, upper: file, spare: file,
            tap: hasNetwork ? file : nil, errors: file)
    }

    @Test("has the same machine and the same devices in the same order for a template and its clones")
    func matches() throws {
        let boot = try command(restores: false).arguments
        let restore = try command(restores: true).arguments
        func values(_ arguments: [String], of option: String) -> [String] {
            zip(arguments, arguments.dropFirst()).filter { $0.0 == option }.map(\.1)
        }
        for option in ["-M", "-cpu", "-smp", "-m", "-device", "-global", "-netdev"] {
            #expect(values(boot, of: option) == values(restore, of: option))
            #expect(!values(boot, of: option).isEmpty)
        }
    }

    @Test("names no file but descriptors", arguments: [false, true])
    func namesDescriptors(restores: Bool) throws {
        let command = try command(restores: restores)
        for argument in command.arguments where argument.contains("/") {
            let isDescriptor = argument.contains("/proc/self/fd/") || argument.contains("/dev/fdset/")
            #expect(isDescriptor || argument.contains("/dev/urandom"), "\(argument)")
        }
        #expect(command.arguments.contains { $0.contains("spawn=deny") })
    }

    @Test("tells the guest of a disk that is full on every disk it may write to, and never stops for it")
    func reportsErrors() throws {
        let disks = try command(restores: true).arguments.filter { $0.hasPrefix("virtio-blk-device") }
        for disk in disks where !disk.contains("drive=root") { #expect(disk.contains("werror=report,rerror=report")) }
        #expect(disks.count == 3)
    }

    @Test("keeps a clone's memory private and a template's shared")
    func sharesMemory() throws {
        #expect(try command(restores: false).arguments.contains { $0.contains("share=on") })
        #expect(try command(restores: true).arguments.contains { $0.contains("share=off") })
    }

    @Test("gives an emulated machine a clock and its addresses, and leaves both to KVM")
    func differsByAccelerator() {
        let emulated = KernelParameters.text(accelerator: .tcg, tscKilohertz: 2_500_000)
        #expect(emulated.contains("tsc_early_khz=2500000 tsc=reliable norandmaps"))
        let real = KernelParameters.text(accelerator: .kvm, tscKilohertz: 2_500_000)
        #expect(!real.contains("tsc"))
        #expect(!real.contains("norandmaps"))
    }

    @Test("has no card without a network")
    func hasNoCard() throws {
        let arguments = try command(restores: true, hasNetwork: false).arguments
        #expect(!arguments.contains { $0.contains("virtio-net") })
    }
}
