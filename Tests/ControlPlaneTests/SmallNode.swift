import ControlPlane
import MagsModel
import NIOCore
import NodeWire
import Synchronization

/// A node without machines, in this process: keeps jobs and their output and follows the contract to the letter. Tests
/// say when a job runs, what it writes and how it ends; or `onStart` does.
final class SmallNode: Node {
    struct Job {
        var assignment: JobAssignment
        var output: [UInt8] = []
        var positions: [OutputRecord.Stream: UInt64] = [:]
        var machine: RunningMachine?
        var outcome: JobOutcome?
        var isSettled = false
        /// Offsets between which records are kept no longer, and what the streams have behind them.
        var hole: (range: Range<Int>, stdout: UInt64, stderr: UInt64)?
    }

    struct Follower {
        var job: JobID
        var sent: Int
        var credit: Int
    }

    struct State {
        var jobs: [JobID: Job] = [:]
        var followers: [UInt32: Follower] = [:]
        var isConnected = false
        var log: [Assignment] = []
        var watchers: [(wanted: @Sendable (Assignment) -> Bool, found: CheckedContinuation<Assignment, Never>)] = []
        var mostAhead = 0
        weak var control: ControlPlane?
    }

    let state = Mutex(State())
    let onStart: @Sendable (SmallNode, JobAssignment) -> Void

    init(onStart: @escaping @Sendable (SmallNode, JobAssignment) -> Void = { _, _ in }) { self.onStart = onStart }

    func connect(to control: ControlPlane) {
        state.withLock { state in
            state.control = control
            state.isConnected = true
            control.connectionOpened()
        }
    }

    /// The connection breaks; what was on its way is lost.
    func disconnect() {
        state.withLock { state in
            state.isConnected = false
            state.followers = [:]
            state.control?.connectionLost()
        }
    }

    /// All jobs and their output are gone, as after the loss of the host's disk.
    func loseEverything() { state.withLock { $0.jobs = [:] } }

    /// Has this from before there was anybody to tell.
    func adopt(_ job: JobAssignment) { state.withLock { $0.jobs[job.id] = Job(assignment: job) } }

    /// One of them is gone.
    func lose(_ id: JobID) { state.withLock { $0.jobs[id] = nil } }

    func send(_ assignment: Assignment) async {
        let started = state.withLock { state -> JobAssignment? in
            guard state.isConnected else { return nil }
            defer { note(assignment, &state) }
            return carryOut(assignment, &state)
        }
        if let started { onStart(self, started) }
    }

    func run(_ id: JobID) {
        state.withLock { state in
            let machine = RunningMachine(
                machine: MachineID("vm-\(id.text.prefix(4))"), accelerator: "tcg", image: "standard@test",
                startedAt: 1_700_000_000_000_000)
            state.jobs[id]?.machine = machine
            report(.running(id, machine), &state)
        }
    }

    func write(_ id: JobID, _ stream: OutputRecord.Stream, _ bytes: [UInt8]) {
        state.withLock { state in
            let position = stream == .system ? 0 : state.jobs[id]?.positions[stream] ?? 0
            var record: [UInt8] = []
            OutputRecord(stream: stream, time: 1_700_000_000_000_000, position: position, bytes: bytes)
                .encode(into: &record)
            state.jobs[id]?.output += record
            state.jobs[id]?.positions[stream, default: 0] += UInt64(bytes.count)
            deliver(&state)
        }
    }

    /// Lets go of the output that there is, but for the first records: those of the first bytes.
    func letGo(_ id: JobID, behind offset: Int) {
        state.withLock { state in
            guard let job = state.jobs[id] else { return }
            state.jobs[id]?.hole = (
                offset..<job.output.count, job.positions[.stdout] ?? 0, job.positions[.stderr] ?? 0
            )
        }
    }

    func write(_ id: JobID, _ stream: OutputRecord.Stream, _ text: String) { write(id, stream, Array(text.utf8)) }

    func write(_ id: JobID, _ text: String) { write(id, .stdout, text) }

    func end(_ id: JobID, _ outcome: JobOutcome = JobOutcome(cause: .exited, exitCode: 0)) {
        state.withLock { state in end(id, outcome, &state) }
    }

    /// The assignment that fits: the first that came, or the first that comes.
    func received(_ wanted: @escaping @Sendable (Assignment) -> Bool) async -> Assignment {
        await withCheckedContinuation { found in
            state.withLock { state in
                if let old = state.log.first(where: wanted) {
                    found.resume(returning: old)
                } else {
                    state.watchers.append((wanted, found))
                }
            }
        }
    }

    func forgetLog() { state.withLock { $0.log = [] } }

    private func note(_ assignment: Assignment, _ state: inout State) {
        state.log.append(assignment)
        state.watchers.removeAll { watcher in
            guard watcher.wanted(assignment) else { return false }
            watcher.found.resume(returning: assignment)
            return true
        }
    }

    private func carryOut(_ assignment: Assignment, _ state: inout State) -> JobAssignment? {
        switch assignment {
        case .start(let job):
            guard state.jobs[job.id] == nil else { return nil }
            state.jobs[job.id] = Job(assignment: job)
            report(.pending(job.id), &state)
            return job
        case .stop(let id):
            if state.jobs[id] != nil { end(id, JobOutcome(cause: .stopped), &state) }
        case .follow(let reader, let job, let from, let credit):
            guard state.jobs[job] != nil else {
                report(.outputUnknown(reader: reader), &state)
                return nil
            }
            state.followers[reader] = Follower(job: job, sent: Int(from), credit: credit)
            deliver(&state)
        case .consume(let reader, let bytes):
            state.followers[reader]?.credit += bytes
            deliver(&state)
        case .unfollow(let reader): state.followers[reader] = nil
        case .settle(let id): state.jobs[id]?.isSettled = true
        case .forget(let id): state.jobs[id] = nil
        case .inventory:
            for (id, job) in state.jobs where !job.isSettled {
                if let outcome = job.outcome {
                    report(.ended(id, outcome, job.machine), &state)
                } else if let machine = job.machine {
                    report(.running(id, machine), &state)
                } else {
                    report(.pending(id), &state)
                }
            }
            report(.inventoryEnd, &state)
        case .pool(let request):
            report(
                .pool(request: request, PoolStatus(idle: 3, busy: 1, warming: 2, restingSize: 4, waiting: 5)), &state)
        case .diagnose(let request):
            report(.diagnosis(request: request, [Finding(.weaker, "accelerator", "tcg", remedy: "Use KVM.")]), &state)
        }
        return nil
    }

    private func end(_ id: JobID, _ outcome: JobOutcome, _ state: inout State) {
        guard let job = state.jobs[id], job.outcome == nil else { return }
        state.jobs[id]?.outcome = outcome
        report(.ended(id, outcome, job.machine), &state)
        deliver(&state)
    }

    private func report(_ report: Report, _ state: inout State) {
        if state.isConnected { state.control?.receive(report) }
    }

    private func deliver(_ state: inout State) {
        guard state.isConnected else { return }
        for (reader, var follower) in state.followers {
            guard let job = state.jobs[follower.job] else { continue }
            // Odd pieces, so that records arrive in parts.
            while follower.credit > 0, follower.sent < job.output.count {
                if let hole = job.hole, hole.range.contains(follower.sent) {
                    follower.sent = hole.range.upperBound
                    let end = UInt64(follower.sent)
                    report(
                        .outputSkipped(reader: reader, to: end, stdout: hole.stdout, stderr: hole.stderr), &state)
                    continue
                }
                let end = job.hole.map { follower.sent < $0.range.lowerBound ? $0.range.lowerBound : .max } ?? .max
                let piece = job.output[follower.sent...].prefix(min(follower.credit, 8191, end - follower.sent))
                state.control?.receive(
                    records: ByteBuffer(bytes: piece), offset: UInt64(follower.sent), reader: reader)
                follower.sent += piece.count
                follower.credit -= piece.count
            }
            state.followers[reader] = follower
            if job.outcome != nil, follower.sent == job.output.count {
                state.followers[reader] = nil
                report(.outputEnd(reader: reader), &state)
            }
        }
    }
}
