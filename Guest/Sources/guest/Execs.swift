import CGuest
import GuestWire

/// Every exec of the machine by its stream, from its first frame until nothing of it lives.
final class Execs {
    private static let limit = 256

    private let loop: EventLoop
    private let link: HostLink
    private let children: Children
    private var running: [UInt16: Running] = [:]
    /// Ended, but processes in the background may live on.
    private var ended: [UInt16: Group] = [:]
    private var arriving = Arriving()
    private let buffer = ReadBuffer()
    private var waiting: [Waiting] = []
    private var discarded: [Group] = []
    /// When interpreters that wait in vain end: they do not take time from the first script's start.
    private var waitingEnds: UInt64?
    private var rehearsal: Rehearsal?
    /// A script has printed something.
    private(set) var hasOutput = false

    init(loop: EventLoop, link: HostLink, children: Children) throws(Failure) {
        self.loop = loop
        self.link = link
        self.children = children
        children.onReaped = { self.forgetEmptyGroups() }
    }

    func prepareGroups() throws(Failure) { try Group.prepare() }

    func start(_ exec: Exec, stream: UInt16) {
        guard running[stream] == nil else { return guest_say("stream \(stream) is in use") }
        attempt(stream) { () throws(Failure) in
            guard running.count < Execs.limit else { throw Failure(step: "too many execs at once", errno: EAGAIN) }
            if let ready = try arriving.begin(exec, stream: stream) { try launch(ready, stream: stream) }
        }
    }

    /// Frames that belong to an exec.
    func handle(_ frame: Frame) throws(WireError) {
        let stream = frame.stream
        switch frame.kind {
        case .environment:
            attempt(stream) { () throws(Failure) in try arriving.add(environment: frame.payload, stream) }
        case .script: attempt(stream) { () throws(Failure) in try arriving.add(script: frame.payload, stream) }
        case .scriptEnd:
            attempt(stream) { () throws(Failure) in
                if let ready = arriving.end(stream) { try launch(ready, stream: stream) }
            }
        case .stdin: running[stream]?.input?.take(frame.payload)
        case .stdinClose: running[stream]?.input?.end()
        case .credit:
            let credit = try Credit(frame)
            running[stream]?.stdout.allow(upTo: credit.stdout)
            running[stream]?.stderr.allow(upTo: credit.stderr)
        case .signal:
            let request = try SignalRequest(frame)
            if let exec = running[stream] {
                exec.signal(request)
            } else if request.reachesAll {
                _ = ended[stream]?.signal(Int32(request.signal))
            }
        default: throw .wrongDirection(frame.kind)
        }
    }

    func resumeOutput() {
        for exec in running.values {
            exec.stdout.watch()
            exec.stderr.watch()
        }
    }

    /// Until pipes that a background process holds are closed; -1 when none are.
    var millisecondsToDeadline: Int32 {
        let next = running.values.reduce(waitingEnds) { earliest, exec in
            guard let deadline = exec.deadline else { return earliest }
            return min(deadline, earliest ?? deadline)
        }
        guard let next else { return -1 }
        let now = guest_monotonic_milliseconds()
        return next <= now ? 0 : Int32(next - now)
    }

    func meetDeadlines() {
        guard millisecondsToDeadline == 0 else { return }
        let now = guest_monotonic_milliseconds()
        if let ends = waitingEnds, ends <= now { discardWaiting() }
        for exec in Array(running.values) { exec.meet(deadlineAt: now) }
    }

    var isRehearsing: Bool { rehearsal != nil }

    func rehearse(_ new: Rehearsal) {
        rehearsal = new
        new.next()
    }

    /// Starts the interpreters that wait for a script; those of before end.
    func startWaiting() {
        discardWaiting()
        for kind in Waiting.Kind.allCases {
            do throws(Failure) {
                guard let new = try Waiting.start(kind) else { continue }
                waiting.append(new)
                children.expect(new.process.pid) { _ in self.waiting.removeAll { $0 === new } }
            } catch {
                guest_say("\(error.step): errno \(error.errno)")
            }
        }
    }

    /// Those that wait are still in a folder of the old root.
    func rootHasMoved() {
        for one in waiting { one.hasLostItsFolder = true }
    }

    private func discardWaiting() {
        for one in waiting {
            one.discard()
            discarded.append(one.group)
        }
        waiting = []
        waitingEnds = nil
    }

    private func link(of stream: UInt16) -> HostLink {
        if stream == Rehearsal.stream, let rehearsal { return rehearsal.link }
        return link
    }

    private func launch(_ ready: Arriving.Ready, stream: UInt16) throws(Failure) {
        let exec = ready.exec
        let started: Launch.Started
        do throws(Failure) {
            started = try Launch.start(ready, stream: stream, waiting: &waiting)
        } catch {
            ready.script?.remove()
            throw error
        }
        let pid = started.process.pid
        let link = link(of: stream)
        var fields = FieldWriter()
        fields.integer(UInt32(pid))
        link.send(Frame(.started, stream: stream, payload: fields.bytes))
        let output = { (kind: FrameKind, descriptor: Int32, credit: UInt32) in
            Output(
                kind, stream: stream, descriptor: descriptor, credit: credit, loop: self.loop, link: link,
                buffer: self.buffer)
        }
        let new = Running(
            stream: stream, pid: pid, group: started.group,
            stdout: output(.stdout, started.process.stdout, exec.stdoutCredit),
            stderr: output(.stderr, started.process.stderr, exec.stderrCredit), input: input(of: started, exec, stream))
        if stream != Rehearsal.stream {
            new.stdout.onFirstBytes = { self.hasOutput = true }
            new.stderr.onFirstBytes = { self.hasOutput = true }
        }
        new.onEnd = { exit in self.end(new, exit, started.leavings) }
        running[stream] = new
        children.expect(pid) { new.firstProcessEnded($0) }
        // One script is what they waited for; any other process in the machine is its user's.
        if stream != Rehearsal.stream, !waiting.isEmpty, waitingEnds == nil {
            waitingEnds = guest_monotonic_milliseconds() + 1000
        }
    }

    private func input(of started: Launch.Started, _ exec: Exec, _ stream: UInt16) -> Input? {
        guard let descriptor = started.process.input else { return nil }
        guard exec.takesInput else {
            close(descriptor)
            return nil
        }
        return Input(descriptor: descriptor, loop: loop) { count in
            var fields = FieldWriter()
            fields.integer(count)
            self.link.send(Frame(.stdinCredit, stream: stream, payload: fields.bytes))
        }
    }

    private func end(_ exec: Running, _ exit: Exit, _ leavings: [String]) {
        running[exec.stream] = nil
        for path in leavings { guest_remove_tree(path) }
        link(of: exec.stream).send(exit.frame(stream: exec.stream))
        if !exec.group.removeIfEmpty() { ended[exec.stream] = exec.group }
        if exec.stream == Rehearsal.stream { goOnRehearsing() }
    }

    private func goOnRehearsing() {
        guard let rehearsal else { return }
        _ = ended[Rehearsal.stream]?.signal(SIGKILL)
        arriving.numberAnew()
        if rehearsal.isOver { self.rehearsal = nil }
        rehearsal.next()
    }

    private func forgetEmptyGroups() {
        for (stream, group) in ended where group.removeIfEmpty() { ended[stream] = nil }
        discarded.removeAll { $0.removeIfEmpty() }
    }

    private func attempt(_ stream: UInt16, _ body: () throws(Failure) -> Void) {
        do throws(Failure) {
            try body()
        } catch {
            arriving.drop(stream)
            link(of: stream).send(ExecFailure(errno: UInt32(error.errno), step: error.step).frame(stream: stream))
            if stream == Rehearsal.stream { goOnRehearsing() }
        }
    }
}
