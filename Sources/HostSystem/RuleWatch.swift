internal import CHost
internal import Glibc

/// Notices when anybody changes nftables' rules in a network namespace. Costs nothing while nobody does.
final class RuleWatch: Sendable {
    private let changes: FileDescriptor
    private let end: (read: FileDescriptor, write: FileDescriptor)

    /// Rules are often changed in several steps; they count as done after so many milliseconds of rest.
    private static let rest: Int32 = 100

    private init(_ changes: FileDescriptor) throws(HostError) {
        self.changes = changes
        end = try FileDescriptor.pipe()
    }

    /// - Parameter namespace: nil is the process's own.
    static func begin(in namespace: FileDescriptor?) async throws(HostError) -> RuleWatch {
        let changes = try await NetworkNamespace.perform(in: namespace) { () throws(HostError) in
            let changes = chost_rule_changes()
            guard changes >= 0 else { throw HostError(errno: errno, "changes of the firewall cannot be watched") }
            return FileDescriptor(owning: changes)
        }
        return try RuleWatch(changes)
    }

    /// Waits for a change since the last call, and for the rest behind it.
    /// - Returns: false once `stop` was called.
    func next() async throws(HostError) -> Bool {
        try await SystemThread.perform {
            guard self.wait(-1) else { return false }
            // Somebody who never rests must not put it off for ever.
            for _ in 0..<20 where self.drain() {
                guard self.wait(RuleWatch.rest) else { return false }
            }
            return true
        }
    }

    func stop() { _ = Glibc.write(end.write.rawValue, [0], 1) }

    /// - Returns: false once `stop` was called.
    private func wait(_ milliseconds: Int32) -> Bool {
        var polled = [
            pollfd(fd: changes.rawValue, events: Int16(POLLIN), revents: 0),
            pollfd(fd: end.read.rawValue, events: Int16(POLLIN), revents: 0),
        ]
        while poll(&polled, 2, milliseconds) < 0, errno == EINTR {}
        return polled[1].revents == 0
    }

    /// - Returns: false when there was nothing. A full buffer, which loses messages, is something.
    private func drain() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 16384)
        var hasAny = false
        while recv(changes.rawValue, &buffer, buffer.count, 0) >= 0 || errno == ENOBUFS { hasAny = true }
        return hasAny
    }
}
