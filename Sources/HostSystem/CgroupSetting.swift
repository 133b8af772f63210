internal import Glibc

/// One limit, by its file in each version.
struct CgroupSetting: Sendable {
    var controller: String
    /// File and value for version 1 and for version 2; nil where that version has no such thing.
    var one: (file: String, value: String)?
    var two: (file: String, value: String)?
    /// Not every kernel was built with it.
    var isOptional = false

    /// In the order in which they must be written.
    static func memory(_ bytes: UInt64) -> [CgroupSetting] {
        [
            CgroupSetting(
                controller: "memory", one: ("memory.limit_in_bytes", "\(bytes)"), two: ("memory.max", "\(bytes)")),
            CgroupSetting(
                controller: "memory", one: ("memory.memsw.limit_in_bytes", "\(bytes)"),
                two: ("memory.swap.max", "0"),
                isOptional: true),
        ]
    }

    /// In the order in which they must be written.
    static func limits(memoryBytes: UInt64, pids: Int, cpuShares: Int) -> [CgroupSetting] {
        let weight = min(max(cpuShares * 100 / 1024, 1), 10_000)
        return memory(memoryBytes) + [
            CgroupSetting(controller: "memory", two: ("memory.oom.group", "1"), isOptional: true),
            CgroupSetting(controller: "pids", one: ("pids.max", "\(pids)"), two: ("pids.max", "\(pids)")),
            CgroupSetting(
                controller: "cpu", one: ("cpu.shares", "\(max(cpuShares, 2))"), two: ("cpu.weight", "\(weight)")),
        ]
    }

    /// `path` is the group's within each tree. A controller that the host lacks is no error: `doctor` tells of it.
    func apply(in layout: CgroupLayout, path: String) throws(HostError) {
        guard let tree = layout.trees[controller], let (file, value) = tree.version == .one ? one : two else { return }
        let target = "\(tree.root)/\(path)/\(file)"
        if isOptional, access(target, F_OK) != 0 { return }
        try SystemFile.write(value, to: target)
    }
}
