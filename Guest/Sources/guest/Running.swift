import CGuest
import GuestWire

/// One exec from its start until its end is told: ended is when the first process has ended and both pipes are drained.
final class Running {
    /// For how long pipes that a process in the background holds are drained after the end of the first.
    static let drainMilliseconds: UInt64 = 200

    let stream: UInt16
    let pid: Int32
    let group: Group
    let stdout: Output
    let stderr: Output
    let input: Input?
    /// When the pipes are closed though somebody still holds them.
    private(set) var deadline: UInt64?
    private var status: Int32?
    private var isTold = false
    var onEnd: (Exit) -> Void = { _ in }

    init(stream: UInt16, pid: Int32, group: Group, stdout: Output, stderr: Output, input: Input?) {
        self.stream = stream
        self.pid = pid
        self.group = group
        self.stdout = stdout
        self.stderr = stderr
        self.input = input
        stdout.onClose = { self.tellIfEnded() }
        stderr.onClose = { self.tellIfEnded() }
    }

    func firstProcessEnded(_ status: Int32) {
        self.status = status
        deadline = guest_monotonic_milliseconds() + Running.drainMilliseconds
        tellIfEnded()
    }

    func meet(deadlineAt now: UInt64) {
        guard let deadline, now >= deadline else { return }
        self.deadline = nil
        stdout.endSoon()
        stderr.endSoon()
    }

    func signal(_ request: SignalRequest) {
        if request.reachesAll {
            _ = group.signal(Int32(request.signal))
        } else {
            kill(-pid, Int32(request.signal))
        }
    }

    private func tellIfEnded() {
        guard let status, stdout.isClosed, stderr.isClosed, !isTold else { return }
        isTold = true
        deadline = nil
        input?.finish()
        let code = guest_exited(status) != 0 ? UInt8(truncatingIfNeeded: guest_exit_code(status)) : nil
        onEnd(
            Exit(
                code: code, signal: UInt8(truncatingIfNeeded: guest_exit_signal(status)), stdoutCount: stdout.count,
                stderrCount: stderr.count))
        // They hold this object, and this object holds them.
        stdout.onClose = {}
        stderr.onClose = {}
        onEnd = { _ in }
    }
}
