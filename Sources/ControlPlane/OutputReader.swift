import MagsModel
import NIOCore
import NodeWire
import Synchronization

/// One reader's subscription to a job's output. The node sends at most `window` bytes ahead of what the reader has
/// taken; a lost connection is taken up again behind the last whole record.
final class OutputReader: Sendable {
    enum Piece: Sendable {
        case records([OutputRecord])
        /// Everything there was when it was asked for has come.
        case caughtUp
        /// The job has ended and everything has come.
        case end
        /// The node has nothing of the job.
        case unknown
    }

    static let window = 256 * 1024

    /// A question behind what was asked for: its answer comes when all that there was has come.
    private enum Barrier {
        case none
        /// Not sure when credit was given after the question: then the node may have lacked it at the question.
        case asked(isSure: Bool)
        case reached(hasCreditLeft: Bool)
    }

    private struct State {
        /// Whether the node has the subscription under that number.
        var isAttached = false
        /// Under which the node knows this reader; nil without a connection.
        var number: UInt32?
        var decoder = OutputRecordDecoder()
        var queue: [OutputRecord] = []
        var queuedBytes = 0
        /// Handed out, and not given back to the node yet.
        var takenBytes = 0
        /// Of a record that has come in part.
        var partialBytes = 0
        /// Of these, given back already: a record may be larger than the window.
        var partialTaken = 0
        /// The offset behind the last whole record.
        var offset: UInt64 = 0
        /// What the node may still send.
        var credit = 0
        var barrier = Barrier.none
        var last: Piece?
        var failure: Problem?
        var isNudged = false
        var waiter: CheckedContinuation<Void, Never>?
        /// Since when a piece is out with the client; nil while the reader waits for the next.
        var handedOutAt: Int64?
        var onCutOff: (@Sendable () -> Void)?
    }

    let job: JobID
    let isLive: Bool
    let holder: String
    private let clock: WallClock
    private let node: any Node
    private let questions: NodeQuestions
    private let state = Mutex(State())

    init(
        job: JobID, isLive: Bool, holder: String = "", node: any Node, questions: NodeQuestions,
        clock: WallClock = .system
    ) {
        self.job = job
        self.isLive = isLive
        self.holder = holder
        self.clock = clock
        self.node = node
        self.questions = questions
    }

    /// Asks the node for what is missing, under a new number.
    func attach(as number: UInt32) async {
        let (offset, credit) = state.withLock { state in
            state.number = number
            state.isAttached = false
            state.decoder = OutputRecordDecoder()
            (state.takenBytes, state.partialBytes, state.partialTaken) = (0, 0, 0)
            state.barrier = .none
            state.last = nil
            state.credit = OutputReader.window - state.queuedBytes
            return (state.offset, state.credit)
        }
        await node.send(.follow(reader: number, job: job, from: offset, credit: credit))
        state.withLock { state in
            state.isAttached = true
            wake(&state)
        }
    }

    func detach() {
        state.withLock { state in
            state.number = nil
            state.isAttached = false
        }
    }

    /// Bytes of whole or part records from the node, the first of which stands at `offset`.
    func deliver(_ bytes: ByteBuffer, offset: UInt64) {
        state.withLock { state in
            guard offset == state.offset + UInt64(state.partialBytes) else {
                state.failure = OutputReader.damage
                return wake(&state)
            }
            state.credit -= bytes.readableBytes
            state.partialBytes += bytes.readableBytes
            state.decoder.append(bytes.readableBytesView)
            do {
                while let record = try state.decoder.next() {
                    state.offset += UInt64(record.size)
                    state.queuedBytes += record.size - state.partialTaken
                    state.partialBytes -= record.size
                    state.partialTaken = 0
                    state.queue.append(record)
                }
            } catch {
                state.failure = OutputReader.damage
            }
            wake(&state)
        }
    }

    private static let damage = Problem(502, "output_damaged", "The node sent output that cannot be read.")

    /// The node goes on at a later record offset, with what the streams have from these positions on. Records without
    /// bytes tell those who take them where that is.
    func skip(to offset: UInt64, stdout: UInt64, stderr: UInt64) {
        state.withLock { state in
            guard offset >= state.offset else {
                state.failure = OutputReader.damage
                return wake(&state)
            }
            state.offset = offset
            // The rest of a record that has come in part will not come.
            state.decoder = OutputRecordDecoder()
            state.takenBytes += state.partialBytes - state.partialTaken
            (state.partialBytes, state.partialTaken) = (0, 0)
            for (stream, position) in [(OutputRecord.Stream.stdout, stdout), (.stderr, stderr)] {
                state.queue.append(OutputRecord(stream: stream, time: 0, position: position, bytes: []))
            }
            wake(&state)
        }
    }

    func finish(_ piece: Piece) {
        state.withLock { state in
            state.last = piece
            wake(&state)
        }
    }

    func forgetEnd() { state.withLock { $0.last = nil } }

    /// Lets `next` return without anything.
    func nudge() {
        state.withLock { state in
            state.isNudged = true
            wake(&state)
        }
    }

    func fail(_ problem: Problem) {
        state.withLock { state in
            state.failure = problem
            wake(&state)
        }
    }

    /// How long the client has been at the piece that it was given; 0 while it waits for one.
    func stalledMicroseconds(at now: Int64) -> Int64 {
        state.withLock { state in state.handedOutAt.map { max(0, now - $0) } ?? 0 }
    }

    func onCutOff(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.onCutOff = body } }

    func cutOff() {
        fail(Problem(503, "reader_cut_off", "The client did not read, and another needs its place.", isRetryable: true))
        state.withLock { $0.onCutOff }?()
    }

    /// What has come since the last call, which says that the pieces before are done with. One caller at a time.
    func next() async throws -> Piece {
        state.withLock { $0.handedOutAt = nil }
        while true {
            await giveBack()
            try Task.checkCancellation()
            if let piece = try take() {
                if case .records = piece { state.withLock { $0.handedOutAt = clock.now() } }
                return piece
            }
            if state.withLock({ mustAsk($0) }) { await askForBarrier() }
            await waitForMore()
        }
    }

    private func take() throws -> Piece? {
        try state.withLock { state in
            if !state.queue.isEmpty {
                defer { state.queue = [] }
                state.takenBytes += state.queuedBytes
                state.queuedBytes = 0
                return .records(state.queue)
            }
            if state.isNudged {
                state.isNudged = false
                return .records([])
            }
            if let failure = state.failure { throw failure }
            if let last = state.last { return last }
            if case .reached(hasCreditLeft: true) = state.barrier { return .caughtUp }
            return nil
        }
    }

    private func canGiveBack(_ state: State) -> Bool {
        let partial = state.queue.isEmpty ? state.partialBytes - state.partialTaken : 0
        return state.credit < OutputReader.window / 2 && state.takenBytes + partial > 0
    }

    private func mustAsk(_ state: State) -> Bool {
        guard !isLive, state.isAttached else { return false }
        switch state.barrier {
        case .none, .reached(hasCreditLeft: false): return true
        case .asked, .reached(hasCreditLeft: true): return false
        }
    }

    /// Lets the node send as much again as was taken, once that is worth a message.
    private func giveBack() async {
        let (number, bytes) = state.withLock { state -> (UInt32?, Int) in
            guard canGiveBack(state) else { return (nil, 0) }
            if state.queue.isEmpty {
                state.takenBytes += state.partialBytes - state.partialTaken
                state.partialTaken = state.partialBytes
            }
            defer { state.takenBytes = 0 }
            state.credit += state.takenBytes
            if case .asked = state.barrier { state.barrier = .asked(isSure: false) }
            return (state.number, state.takenBytes)
        }
        if let number { await node.send(.consume(reader: number, bytes: bytes)) }
    }

    /// The node answers in order: when the answer is here and credit is left, nothing that was there is missing.
    private func askForBarrier() async {
        state.withLock { $0.barrier = .asked(isSure: true) }
        let number = questions.expect { [weak self] report in
            guard report != nil else { return }
            self?.state.withLock { state in
                guard case .asked(let isSure) = state.barrier else { return }
                state.barrier = .reached(hasCreditLeft: isSure && state.credit > 0)
                self?.wake(&state)
            }
        }
        await node.send(.pool(request: number))
    }

    private func waitForMore() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                state.withLock { state in
                    var isReady =
                        !state.queue.isEmpty || state.isNudged || state.failure != nil || state.last != nil
                    if case .reached = state.barrier { isReady = true }
                    if canGiveBack(state) || mustAsk(state) { isReady = true }
                    if isReady || Task.isCancelled { continuation.resume() } else { state.waiter = continuation }
                }
            }
        } onCancel: {
            state.withLock { wake(&$0) }
        }
    }

    private func wake(_ state: inout State) {
        state.waiter?.resume()
        state.waiter = nil
    }

    var number: UInt32? { state.withLock { $0.number } }
}
