internal import Glibc

/// What /proc tells of a process.
enum ProcessTable {
    /// Clock ticks from the host's start to the process's; nil when there is none. The name, which the process chooses,
    /// may hold spaces and brackets: fields are counted from its last bracket.
    static func startTime(of pid: Int32) -> UInt64? {
        guard let stat = try? SystemFile.text("/proc/\(pid)/stat"), let end = stat.lastIndex(of: ")") else {
            return nil
        }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        return fields.count > 19 ? UInt64(fields[19]) : nil
    }
}
