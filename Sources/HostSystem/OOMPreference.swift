internal import Glibc

/// Whom the kernel ends first when the host's memory is full.
package enum OOMPreference {
    /// Far behind what has no preference; not the last of all, which would be the kernel's own choice of panic.
    private static let role = -500
    /// Before anything else on the host: a machine is made to be lost.
    private static let machine = 500

    /// For the supervisor, from whom the roles inherit it. Only root may.
    package static func rolesStay() { set(role, of: "self") }

    /// For a machine's process, before it has memory worth mentioning.
    static func goesFirst(_ pid: Int32) { set(machine, of: "\(pid)") }

    private static func set(_ value: Int, of process: String) {
        try? SystemFile.write("\(value)", to: "/proc/\(process)/oom_score_adj")
    }
}
