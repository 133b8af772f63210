import CGuest

/// Takes the exit status of every process that ends: those that were started here, and the orphans that PID 1 inherits.
final class Children {
    private let events: Int32
    private var waiters: [Int32: (Int32) -> Void] = [:]
    /// After each batch: something may have emptied a cgroup.
    var onReaped: () -> Void = {}

    init(loop: EventLoop) {
        events = guest_child_events()
        loop.watch(events, guest_readable) { _ in self.reap() }
    }

    func expect(_ pid: Int32, _ handler: @escaping (Int32) -> Void) { waiters[pid] = handler }

    private func reap() {
        guest_drain_child_events(events)
        while true {
            var status: Int32 = 0
            let pid = waitpid(-1, &status, WNOHANG)
            guard pid > 0 else { break }
            waiters.removeValue(forKey: pid)?(status)
        }
        onReaped()
    }
}
