import GuestWire
import Logging
import Machines
package import MagsModel
import NodeWire
import Synchronization

/// One script on this node from its assignment to its settled end: a job's own in the machine that was claimed for it, or
/// one that runs beside it there.
package final class JobRun: Sendable {
    package let id: JobID
    package let output: JobOutput
    private let files: JobFiles
    private let scheduler: JobClock
    private let report: @Sendable (Report) -> Void
    private let logger: Logger

    private struct State {
        var life: JobLife
        var journal: JobJournal?
        var living: LivingMachine?
        var claim: Task<Void, Never>?
        var deadline: JobClock.Timer?
        var grace: JobClock.Timer?
        /// Where the time until the first output goes; nil when nobody reads it.
        var signposts: Signposts?
        var hasOutput = false
        /// For the readers of an earlier host agent, until its time begins to count.
        var hold: JobOutput.Hold?
        /// An earlier host agent may not have seen the answer to the claim.
        var mayBeClaimed = false
    }

    private let state: Mutex<State>

    /// By which the guest knows the script.
    let stream: UInt16

    init(
        id: JobID, stream: UInt16 = LivingMachine.owner, files: JobFiles, life: JobLife = JobLife(),
        journal: JobJournal? = nil, scheduler: JobClock,
        logger: Logger, report: @escaping @Sendable (Report) -> Void
    ) throws {
        self.id = id
        self.stream = stream
        self.files = files
        self.scheduler = scheduler
        self.report = report
        var logger = logger
        logger[metadataKey: "job"] = "\(id)"
        self.logger = logger
        try files.create(id)
        output = try JobOutput(folder: files.path(id), now: scheduler.now)
        if case .ended = life.state { output.markEnded() }
        state = Mutex(
            State(life: life, journal: journal, signposts: logger.logLevel <= .debug ? Signposts() : nil))
    }

    var lifeState: JobLife.State { state.withLock { $0.life.state } }

    /// The machine that the script is in; nil before it has one and after its end.
    var living: LivingMachine? { state.withLock { $0.living } }

    /// What the node says of the job to a control plane that asks.
    var currentReport: Report {
        state.withLock { state in
            switch state.life.state {
            case .waiting, .left: .pending(id)
            case .running, .ending: state.journal.map { .running(id, $0.running) } ?? .pending(id)
            case .ended(let outcome): .ended(id, outcome, state.journal?.running)
            }
        }
    }

    /// The task that waits for a machine, so that stopping the job ends the wait.
    func setClaim(_ task: Task<Void, Never>) {
        let isOver = state.withLock { state in
            state.claim = task
            return state.life.isOver
        }
        if isOver { task.cancel() }
    }

    /// The machine is about to get the script: after this the job is never given to another one.
    /// - Throws: when the job has ended meanwhile, or the journal cannot be written; the script must not be sent then.
    func begin(_ candidate: MachineCandidate, timeoutSeconds: Int, inside: JobID? = nil) throws {
        let now = Int64(scheduler.now())
        let journal = JobJournal(
            id: id, machine: candidate.record, inside: inside, stream: stream, received: candidate.received,
            startedAt: now, deadline: now + Int64(timeoutSeconds) * 1_000_000)
        passed("clone")
        // Under the lock, so that a job is not stopped in between.
        try state.withLock { state in
            guard case .waiting = state.life.state else { throw CancellationError() }
            try files.write(journal)
            state.journal = journal
        }
        _ = scheduler.after(seconds: JobFiles.flushDelay) { [files, id] in files.flush(id) }
        passed("journal")
    }

    /// The machine is ours: from now on its frames are the job's, and theirs whose scripts run `beside` it since before.
    func attach(_ machine: Machine, isResumed: Bool, beside runs: [JobRun] = []) {
        let living: LivingMachine
        do {
            living = try LivingMachine(machine, folder: files.path(id), scheduler: scheduler, logger: logger)
        } catch {
            for run in [self] + runs { run.lost(JobRun.reason(error)) }
            return scheduler.release(machine)
        }
        enter(living, isResumed: isResumed)
        for run in runs { run.enter(living, isResumed: true) }
        living.listen()
    }

    /// The script runs in this machine, or is about to.
    /// - Returns: false when the script's job has ended instead: it must not be sent then.
    @discardableResult
    func enter(_ living: LivingMachine, isResumed: Bool) -> Bool {
        guard living.add(self) else {
            apply(.machineLost(LivingMachine.ownerEnded))
            return false
        }
        let (journal, isOver) = state.withLock { state in
            if state.life.isOver { return (nil as JobJournal?, true) }
            state.living = living
            return (state.journal, false)
        }
        guard !isOver else {
            living.leave(stream)
            return false
        }
        passed("claim")
        let machine = living.machine
        output.onGrant { [weak machine, stream] in machine?.send($0.frame(stream: stream)) }
        do {
            // From here on the guest may forget its answer to the claim.
            output.advance(received: machine.received)
            if !isResumed { try output.commit() }
        } catch {
            apply(.machineLost(JobRun.reason(error)))
            return false
        }
        if let journal {
            report(.running(id, journal.running))
            setDeadline(inMicroseconds: journal.deadline - Int64(scheduler.now()))
        }
        if isResumed {
            let hold = output.resume()
            state.withLock { state in
                state.hold = hold
                state.mayBeClaimed = !output.progress.hasStarted
            }
            _ = scheduler.after(seconds: JobRun.startLimit) { [weak self] in self?.giveUpIfNotStarted() }
            resumeEnding()
        } else {
            apply(.claimed)
        }
        return true
    }

    /// Readers of an earlier host agent have so long to come back from now on.
    func readersMayReturn() {
        guard let hold = state.withLock({ $0.hold.take() }) else { return }
        _ = scheduler.after(seconds: JobOutput.holdSeconds) { [output] in output.endHold(hold) }
    }

    /// The job's time counts from the moment at which its script runs. The journal's deadline, from the moment it was
    /// sent, is what a host agent that takes over goes by.
    private func setDeadline(inMicroseconds delay: Int64) {
        let timer = scheduler.after(seconds: max(Double(delay) / 1_000_000, 0)) { [weak self] in self?.apply(.timeUp) }
        state.withLock { state in
            state.deadline?.cancel()
            state.deadline = timer
        }
    }

    /// How long the guest of a machine that was taken over may take to say that the script runs. A script that an earlier
    /// host agent had sent in part only will never be whole, and is not sent again: it may have been.
    private static let startLimit = 30.0

    private func giveUpIfNotStarted() {
        guard !output.progress.hasStarted else { return }
        apply(.machineLost("the script may not have reached it before the host agent ended"))
    }

    private func resumeEnding() {
        let isEnding = state.withLock { if case .ending = $0.life.state { true } else { false } }
        if isEnding { perform([.signal(JobLife.kill), .startGrace(seconds: 3)]) }
    }

    func stop() { apply(.stopAsked) }

    func fail(_ problem: Problem) { apply(.claimFailed(problem)) }

    func lost(_ reason: String) { apply(.machineLost(reason)) }

    /// The job's machine goes, or the job gets none here, because the server is being stopped.
    func endWithServer() {
        // In one step with the look at the journal, which is written before the script is sent.
        let (effects, claim) = state.withLock { state in
            (state.life.apply(.serverStopped(mayHaveBegun: state.journal != nil)), state.claim)
        }
        perform(effects)
        claim?.cancel()
    }

    /// Keeps what was handled.
    /// - Parameter position: up to which of the wire; nil when that is kept for all scripts of the machine together.
    func commit(upTo position: UInt64?) throws {
        if let position { output.advance(received: position) }
        try output.commit()
    }

    /// Handles a frame of the script's, or one that answers the claim.
    /// - Throws: `GuestLoss` for what an honest guest does not send, since nothing that it says later can be trusted.
    func handle(_ frame: Frame, position: UInt64) throws {
        // What a guest says behind its end counts no more, and its machine is on its way out.
        if state.withLock({ $0.life.isOver }) { return }
        // Kept already, when the position of the machine as a whole was not.
        guard position > output.progress.received else { return }
        if frame.kind == .claimed, frame.stream == 0 { return try claimAnswered(frame, position: position) }
        guard frame.stream == stream else {
            throw GuestLoss.nonsense("it sent a frame that belongs to no script (\(frame.kind))")
        }
        switch frame.kind {
        case .started:
            guard output.start(received: position) else {
                throw GuestLoss.nonsense("it started the script a second time")
            }
            passed("start")
            if let journal = state.withLock({ $0.journal }) {
                setDeadline(inMicroseconds: journal.deadline - journal.startedAt)
            }
        case .stdout:
            noteOutput()
            try accept(frame.payload, of: .stdout, position: position)
        case .stderr: try accept(frame.payload, of: .stderr, position: position)
        case .exited:
            passed("exit")
            let exit = try Exit(frame)
            let progress = output.progress
            guard exit.stdoutCount == progress.stdoutCount, exit.stderrCount == progress.stderrCount else {
                throw GuestLoss.nonsense("it counted other bytes of output than arrived")
            }
            output.advance(received: position)
            // The end must not be on disk before the output is. When that cannot be kept, `end` says so, and the script
            // has still ended as it did.
            try? output.commit()
            apply(.exited(code: exit.code.map(Int.init) ?? 128 + Int(exit.signal)))
        case .failed:
            let failure = try ExecFailure(frame)
            output.advance(received: position)
            apply(.neverRan("\(failure.step), errno \(failure.errno)"))
        default: throw GuestLoss.nonsense("it sent a frame that nobody asked for (\(frame.kind))")
        }
    }

    private func accept(_ bytes: [UInt8], of stream: JobOutput.Stream, position: UInt64) throws {
        guard !bytes.isEmpty else { throw GuestLoss.nonsense("it sent a frame of output without output") }
        try output.accept(bytes, of: stream, received: position)
    }

    private func claimAnswered(_ frame: Frame, position: UInt64) throws {
        let key: [UInt8]? = state.withLock { state in
            defer { state.mayBeClaimed = false }
            return state.mayBeClaimed ? state.journal?.machine.key : nil
        }
        let claimed = try Claimed(frame)
        guard let key, claimed.nonce == key, !output.progress.hasStarted else {
            throw GuestLoss.nonsense("it answered a claim that nobody made")
        }
        guard claimed.failure.isEmpty else { throw GuestLoss.nonsense("it refused the claim: \(claimed.failure)") }
        output.advance(received: position)
    }

    /// As a part of a sentence.
    static func reason(_ error: any Error) -> String {
        let text = "\(error)"
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }

    func apply(_ event: JobLife.Event) {
        let effects = state.withLock { state in
            let effects = state.life.apply(event)
            if case .ending(let cause, _) = state.life.state, state.journal?.pendingCause == nil {
                state.journal?.pendingCause = cause
                // Without it a host agent that takes over ends the job by its deadline instead: late, not wrong.
                if let journal = state.journal {
                    do { try files.write(journal) } catch { logger.error("journal", metadata: ["error": "\(error)"]) }
                }
            }
            return effects
        }
        perform(effects)
    }

    private func perform(_ effects: [JobLife.Effect]) {
        for effect in effects {
            switch effect {
            case .signal(let number):
                living?.machine.send(SignalRequest(signal: UInt8(number), reachesAll: true).frame(stream: stream))
            case .startGrace(let seconds):
                let timer = scheduler.after(seconds: Double(seconds)) { [weak self] in self?.apply(.graceOver) }
                state.withLock { $0.grace = timer }
            case .end(let outcome): end(outcome)
            }
        }
    }

    private func passed(_ name: String) { state.withLock { $0.signposts?.passed(name) } }

    private func noteOutput() {
        state.withLock { state in
            guard state.signposts != nil, !state.hasOutput else { return }
            state.hasOutput = true
            state.signposts?.passed("output")
        }
    }

    private func end(_ given: JobOutcome) {
        var outcome = given
        // The end must not be on disk before the output is.
        do { try output.commit() } catch { outcome.addOutputLoss(error) }
        let (living, running) = state.withLock { state in
            if let startedAt = state.journal?.startedAt {
                outcome.durationMilliseconds = max(0, Int((Int64(scheduler.now()) - startedAt) / 1000))
            }
            state.life = JobLife(ended: outcome)
            state.claim?.cancel()
            state.deadline?.cancel()
            state.grace?.cancel()
            state.journal?.outcome = outcome
            if let journal = state.journal {
                do { try files.write(journal) } catch { logger.error("journal", metadata: ["error": "\(error)"]) }
            }
            defer { state.living = nil }
            return (state.living, state.journal?.running)
        }
        do { try output.finish() } catch { logger.error("output not finished", metadata: ["error": "\(error)"]) }
        report(.ended(id, outcome, running))
        if let signposts = state.withLock({ $0.signposts }) {
            logger.debug("job ended", metadata: ["steps": "\(signposts.text)"])
        }
        living?.leave(stream)
    }
}
