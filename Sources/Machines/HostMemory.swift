import FoundationEssentials

/// The host's memory, from the kernel's own tables; in MiB. These reads block for microseconds only.
enum HostMemory {
    static func total() -> Int { value("MemTotal:", in: "/proc/meminfo") ?? 1024 }

    static func available() -> Int { value("MemAvailable:", in: "/proc/meminfo") ?? 0 }

    /// What a process would give back if it ended, or nil when it cannot be read.
    static func privateMebibytes(of pid: Int32) -> Int? {
        let path = "/proc/\(pid)/smaps_rollup"
        guard let dirty = value("Private_Dirty:", in: path) else { return nil }
        return dirty + (value("Private_Clean:", in: path) ?? 0)
    }

    private static func value(_ name: String, in path: String) -> Int? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix(name) {
            let fields = line.split(separator: " ")
            guard fields.count >= 2, let kilobytes = Int(fields[1]) else { return nil }
            return kilobytes / 1024
        }
        return nil
    }
}
