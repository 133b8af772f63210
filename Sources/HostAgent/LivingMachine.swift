import Foundation
import GuestWire
import Logging
package import Machines
import MagsModel
import NodeWire
import Synchronization

/// A claimed machine with the scripts that run in it: its owner's, for which it was claimed, and those beside it. It ends
/// with its owner's script.
///
/// Frames of the guest are handled where they arrive, on the machine's event loop, and what they mean is on disk before
/// the handler returns, since returning lets the guest forget them.
package final class LivingMachine: Sendable {
    /// The stream of the script that the machine was claimed for.
    package static let owner: UInt16 = 1
    /// More at once the guest refuses.
    static let maximumRuns = 200

    let machine: Machine
    private let folder: String
    private let scheduler: JobClock
    private let logger: Logger

    private struct State {
        var runs: [UInt16: JobRun] = [:]
        /// Of scripts that have ended here; the guest may not know it yet.
        var past: Set<UInt16> = []
        /// An earlier host agent had several scripts here: what of them ended is not known any more.
        var isRestored = false
        /// Up to here everything was kept.
        var committed: UInt64
        var lastStream = LivingMachine.owner
        /// From the second script on: until then the owner's output tells where the wire stands.
        var position: WirePosition?
        var isOver = false
    }

    private let state: Mutex<State>

    /// - Parameter folder: of the owner's job.
    /// - Throws: when it is not known which streams the guest has seen: none must be used twice.
    init(_ machine: Machine, folder: String, scheduler: JobClock, logger: Logger) throws {
        self.machine = machine
        self.folder = folder
        self.scheduler = scheduler
        self.logger = logger
        var state = State(committed: machine.received)
        if let (position, lastStream) = try WirePosition.open(in: folder) {
            state.position = position
            state.lastStream = max(lastStream, LivingMachine.owner)
            state.isRestored = true
        }
        self.state = Mutex(state)
    }

    /// A stream for one more script. One caller at a time.
    /// - Throws: `Problem` when there are too many, or the machine is on its way out.
    func open() throws -> UInt16 {
        let (stream, file) = try nextStream()
        if let file {
            try file.write(lastStream: stream)
            return stream
        }
        let made = try WirePosition.make(in: folder, state.withLock { $0.committed }, lastStream: stream)
        // In one step: what is committed meanwhile either was seen here or sees the file.
        try state.withLock { state in
            try made.write(position: state.committed)
            state.position = made
        }
        return stream
    }

    private func nextStream() throws -> (UInt16, WirePosition?) {
        try state.withLock { state in
            guard !state.isOver else { throw LivingMachine.gone }
            guard state.runs.count < LivingMachine.maximumRuns else {
                throw Problem(
                    429, "too_many_execs", "\(state.runs.count) commands run in this machine already.",
                    hint: "Wait until some of them have ended.", isRetryable: true)
            }
            repeat {
                state.lastStream = state.lastStream == .max ? LivingMachine.owner + 1 : state.lastStream + 1
            } while state.runs[state.lastStream] != nil
            state.past.remove(state.lastStream)
            return (state.lastStream, state.position)
        }
    }

    static let ownerEnded = "the job that it belongs to has ended"
    static let gone = Problem(409, "machine_not_running", "The job's machine does not run.")

    /// - Returns: false when the machine is on its way out: nobody would tell the script of its end.
    func add(_ run: JobRun) -> Bool {
        state.withLock { state in
            guard !state.isOver else { return false }
            state.runs[run.stream] = run
            return true
        }
    }

    /// From now on frames are handled.
    func listen() { machine.attach { [weak self] event in self?.handle(event) } }

    /// A script has ended, or never came to run. The owner's takes the machine and all others along.
    func leave(_ stream: UInt16) {
        let others = state.withLock { state -> [JobRun] in
            state.runs[stream] = nil
            state.past.insert(stream)
            guard stream == LivingMachine.owner, !state.isOver else { return [] }
            state.isOver = true
            return Array(state.runs.values)
        }
        guard stream == LivingMachine.owner else { return }
        for run in others { run.lost(LivingMachine.ownerEnded) }
        scheduler.release(machine)
    }

    func handle(_ event: GuestEvent) {
        do {
            switch event {
            case .lost(let loss): throw loss
            case .frame(let frame, let position): try run(of: frame)?.handle(frame, position: position)
            case .caughtUp(let position): try commit(position)
            }
        } catch {
            let runs = state.withLock { Array($0.runs.values) }
            guard !runs.isEmpty else { return }
            logger.warning("machine lost", metadata: ["error": "\(error)"])
            for run in runs { run.lost(JobRun.reason(error)) }
        }
    }

    /// - Returns: nil for what nobody waits for any more.
    private func run(of frame: Frame) throws -> JobRun? {
        try state.withLock { state in
            let stream = frame.stream == 0 ? LivingMachine.owner : frame.stream
            if let run = state.runs[stream] { return run }
            let isPast = state.past.contains(stream) || state.isRestored && stream > LivingMachine.owner
            guard state.isOver || isPast else {
                throw GuestLoss.nonsense("it sent a frame of stream \(frame.stream), which nobody opened")
            }
            return nil
        }
    }

    private func commit(_ position: UInt64) throws {
        let (runs, isShared) = state.withLock { (Array($0.runs.values), $0.position != nil) }
        for run in runs { try run.commit(upTo: isShared ? nil : position) }
        // Last: what comes again after a crash is known by each script's own position.
        let file = state.withLock { state in
            state.committed = position
            return state.position
        }
        try file?.write(position: position)
    }
}
