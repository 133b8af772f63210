import MagsModel

/// What a machine has of the host. Each size has a template of its own, so there are few.
package struct MachineSize: Hashable, Sendable, Codable {
    package var memoryMebibytes: Int
    package var processors: Int

    package static let standard = MachineSize(
        memoryMebibytes: Limits.defaultMemoryMebibytes, processors: Limits.defaultProcessors)

    init(memoryMebibytes: Int, processors: Int) {
        self.memoryMebibytes = memoryMebibytes
        self.processors = processors
    }

    /// The smallest size that has what was asked for: 256·2ⁿ MiB up to half the host, and 1, 2 or 4 processors.
    package static func covering(
        memoryMebibytes: Int, processors: Int, hostMebibytes: Int
    ) throws(MachineError) -> MachineSize {
        var memory = 256
        while memory < memoryMebibytes, memory <= hostMebibytes { memory *= 2 }
        guard memoryMebibytes > 0, memory <= max(256, hostMebibytes / 2) else {
            throw MachineError(
                "memory_out_of_range", "A machine of \(memoryMebibytes) MiB does not fit on this host.",
                hint: "Ask for up to \(hostMebibytes / 2) MiB.")
        }
        guard let processors = [1, 2, 4].first(where: { $0 >= processors }) else {
            throw MachineError(
                "processors_out_of_range", "A machine cannot have \(processors) processors.", hint: "Ask for 1, 2 or 4."
            )
        }
        return MachineSize(memoryMebibytes: memory, processors: processors)
    }

    private static let overheadMebibytes = 256

    /// What it may take of the host once its script touches all of it: the guest's own, and QEMU with its translations.
    var promisedMebibytes: Int { memoryMebibytes + MachineSize.overheadMebibytes }

    /// The memory that its QEMU may be charged for: the guest's own, and room for QEMU and its translations. The guest's
    /// counts twice: a page that was never used in the template becomes one there with the first clone that touches it.
    /// All clones share those, but whoever was first is charged, and nothing takes them from it.
    var limitBytes: UInt64 { UInt64(2 * memoryMebibytes + MachineSize.overheadMebibytes) << 20 }
}

/// What clones of one template have in common.
struct MachineKind: Hashable, Sendable {
    var image: String
    var size: MachineSize
}
