internal import CHost
internal import Glibc

/// Processes by the user that they run as.
package enum UserProcesses {
    /// Ends all of these users', for users that are ours alone. Blocks until they have ended; what they start meanwhile is
    /// found in the next round.
    package static func end(of users: Set<UInt32>) {
        guard !users.isEmpty, !users.contains(0) else { return }
        for _ in 0..<100 {
            let found = SystemFile.folders(in: "/proc").compactMap { Int32($0) }.filter { isOne(of: users, $0) }
            guard !found.isEmpty else { return }
            for pid in found { end(pid, of: users) }
        }
    }

    private static func end(_ pid: Int32, of users: Set<UInt32>) {
        let opened = chost_pidfd_open(pid)
        guard opened >= 0 else { return }
        let pidfd = FileDescriptor(owning: opened)
        // Looked at again after the open: the descriptor holds that process and no later one.
        guard isOne(of: users, pid) else { return }
        _ = chost_pidfd_signal(pidfd.rawValue, SIGKILL)
        _ = chost_pidfd_wait(pidfd.rawValue, 1000)
    }

    /// By its real, effective, saved or file system's user. One that has ended and was not collected counts no more.
    private static func isOne(of users: Set<UInt32>, _ pid: Int32) -> Bool {
        guard let status = try? SystemFile.text("/proc/\(pid)/status") else { return false }
        let lines = status.split(separator: "\n")
        guard let owner = lines.first(where: { $0.hasPrefix("Uid:") }),
            !lines.contains(where: { $0.hasPrefix("State:\tZ") || $0.hasPrefix("State:\tX") })
        else { return false }
        return owner.dropFirst(4).split(separator: "\t").contains { UInt32($0).map(users.contains) ?? false }
    }
}
