internal import CHost
internal import Dispatch
internal import Glibc
internal import Synchronization

/// A process that we started, or one that an earlier run of ours did. It is held by a descriptor of the process (pidfd), so
/// a signal never reaches another one that got the same pid later. Our own children are reaped when they end, whether
/// anybody waits or not; letting go of this object does not end the process.
package final class ChildProcess: Sendable {
    package let pid: Int32
    /// Field 22 of /proc/PID/stat: with the pid it names one process until the host restarts.
    package let startTime: UInt64

    private let pidfd: FileDescriptor
    private let state = Mutex(State())

    private struct State {
        var status: ExitStatus?
        var waiters: [CheckedContinuation<ExitStatus, Never>] = []
    }

    private init(pid: Int32, startTime: UInt64, pidfd: FileDescriptor) {
        self.pid = pid
        self.startTime = startTime
        self.pidfd = pidfd
    }

    /// Returns once the program itself runs; takes a few milliseconds and may be called from any thread.
    package static func spawn(_ spec: ProcessSpec) throws(HostError) -> ChildProcess {
        let pid = try Spawn.start(spec)
        let opened = chost_pidfd_open(pid)
        guard opened >= 0, let startTime = ProcessTable.startTime(of: pid) else {
            let error = HostError(errno: errno, "\(spec.program) started, but it cannot be watched")
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
            if opened >= 0 { close(opened) }
            throw error
        }
        if spec.isFirstToGo { OOMPreference.goesFirst(pid) }
        let child = ChildProcess(pid: pid, startTime: startTime, pidfd: FileDescriptor(owning: opened))
        child.watch()
        return child
    }

    /// Nil unless the process with this pid is the one that began at `startTime` and still lives. Not for one that this
    /// very process started: of two objects only the faster learns how it ended.
    package static func adopt(pid: Int32, startTime: UInt64) -> ChildProcess? {
        guard pid > 1 else { return nil }
        let opened = chost_pidfd_open(pid)
        guard opened >= 0 else { return nil }
        let pidfd = FileDescriptor(owning: opened)
        // The order matters: alive after the look means that the look was at the process which the descriptor holds.
        guard ProcessTable.startTime(of: pid) == startTime, chost_pidfd_ended(opened) == 0 else { return nil }
        let child = ChildProcess(pid: pid, startTime: startTime, pidfd: pidfd)
        child.watch()
        return child
    }

    package var isAlive: Bool { state.withLock { $0.status == nil } && chost_pidfd_ended(pidfd.rawValue) == 0 }

    /// Does nothing when the process has ended.
    package func signal(_ number: Int32) { _ = chost_pidfd_signal(pidfd.rawValue, number) }

    /// Any number may wait, before and after the end.
    package func waitForExit() async -> ExitStatus {
        await withCheckedContinuation { continuation in
            let known = state.withLock { state in
                if state.status == nil { state.waiters.append(continuation) }
                return state.status
            }
            if let known { continuation.resume(returning: known) }
        }
    }

    private static let queue = DispatchQueue(label: "mags.processes")

    private func watch() {
        let source = DispatchSource.makeReadSource(fileDescriptor: pidfd.rawValue, queue: Self.queue)
        // The source keeps this object, and with it the descriptor, until the process has ended.
        source.setEventHandler { [self] in
            guard let status = reap() else { return }
            source.cancel()
            finish(status)
        }
        source.setCancelHandler { withExtendedLifetime(self) {} }
        source.activate()
    }

    private func reap() -> ExitStatus? {
        var code: Int32 = 0
        var killed: Int32 = 0
        switch chost_reap(pidfd.rawValue, &code, &killed) {
        case 0: return nil
        case 1: return killed == 0 ? .exited(code) : .killed(signal: code)
        default: return chost_pidfd_ended(pidfd.rawValue) == 0 ? nil : .unknown
        }
    }

    private func finish(_ status: ExitStatus) {
        let waiters = state.withLock { state in
            defer { state.waiters = [] }
            state.status = status
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: status) }
    }
}
