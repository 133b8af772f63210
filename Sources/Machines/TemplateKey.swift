import GuestWire
import HostSystem

/// All that a saved machine depends on. Two hosts, or two moments, with the same key can use the same template.
struct TemplateKey: Sendable, Codable, Equatable {
    var boot: String
    var imageDigest: String
    var qemu: String
    var accelerator: Accelerator
    var processorModel: String
    var size: MachineSize
    /// 0 with KVM, which has a clock of its own.
    var tscKilohertz: Int
    var wireVersion: UInt32
    var hasNetwork: Bool
    var recipe: Int

    init(
        boot: BootFiles, image: ImageFiles, qemu: String, verdict: HostProbe.Verdict, accelerator: Accelerator,
        size: MachineSize, hasNetwork: Bool
    ) {
        self.boot = boot.key
        imageDigest = image.digest
        self.qemu = qemu
        self.accelerator = accelerator
        processorModel =
            accelerator == .kvm ? "host \(verdict.cpuModel) \(verdict.hostKernel)" : QEMUCommand.processorModel(.tcg)
        self.size = size
        tscKilohertz = accelerator == .kvm ? 0 : verdict.tscKilohertz
        wireVersion = Hello.currentVersion
        self.hasNetwork = hasNetwork
        recipe = QEMUCommand.recipe
    }

    var text: String {
        "boot=\(boot) image=\(imageDigest) qemu=\(qemu) accelerator=\(accelerator.rawValue) cpu=\(processorModel) "
            + "memory=\(size.memoryMebibytes) processors=\(size.processors) tsc=\(tscKilohertz) wire=\(wireVersion) "
            + "network=\(hasNetwork) recipe=\(recipe)"
    }

    /// The folder's name. The key itself lies in the folder too, and is compared.
    var name: String {
        let bytes = Array(text.utf8)
        return [Checksum(seed: 1), Checksum(seed: 2)].map { start in
            var sum = start
            bytes.withUnsafeBytes { sum.add($0) }
            return sum.text
        }.joined()
    }
}
