import GuestWire
import NIOCore
import Synchronization

/// One connection to a guest, on its event loop: meets the guest, cuts frames, acknowledges what was taken.
final class GuestHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Written but not yet taken by QEMU. Scripts and pieces of files are bounded, so an honest guest stays far below.
    static let maximumUnsent = 8 << 20
    /// Frames that nobody has asked for yet; reading pauses above it.
    static let maximumHeld = 1 << 20

    private enum Stage {
        case meeting(ResumeScan)
        case framed
        case ended(GuestLoss)
    }

    private struct Held {
        var frame: Frame
        /// Somebody has had it, but it has its place in the order.
        var isAnswer: Bool
    }

    private var stage: Stage
    private var decoder = FrameDecoder(acceptsFromGuest: true)
    private let resumed: EventLoopPromise<Void>
    private let received: Counter
    /// Whoever handles the frames keeps what came before this.
    private var kept: UInt64
    private var acknowledged: UInt64
    private var isAcknowledging = false
    private var unsent = 0
    private var sink: (@Sendable (GuestEvent) -> Void)?
    private var waiter: EventLoopPromise<Frame>?
    /// Those who wait for the reply to a request of their own, however many frames come before it.
    private var answers: [UInt32: EventLoopPromise<Reply>] = [:]
    private var late: Set<UInt32> = []
    private var isMute = false
    private var lastRequest: UInt32 = 1 << 16
    private var held: [Held] = []
    private var heldBytes = 0
    private var context: ChannelHandlerContext?

    init(resume: Resume, resumed: EventLoopPromise<Void>, received: Counter) {
        stage = .meeting(ResumeScan(resume))
        kept = resume.received
        acknowledged = resume.received
        self.resumed = resumed
        self.received = received
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        end(.ended)
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let chunk = unwrapInboundIn(data)
        do {
            switch stage {
            case .meeting(var scan):
                let rest = try scan.feed(Array(buffer: chunk))
                stage = .meeting(scan)
                guard let rest else { return }
                stage = .framed
                resumed.succeed()
                decoder.append(rest)
            case .framed: chunk.withUnsafeReadableBytes { decoder.append($0) }
            case .ended: return
            }
            while case .framed = stage, let frame = try decoder.next() { take(frame) }
        } catch let loss as GuestLoss {
            end(loss)
        } catch {
            end(.nonsense("\(error)"))
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { catchUp() }

    func channelInactive(context: ChannelHandlerContext) { end(.ended) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { end(.ended) }

    /// Everything from now on, and first what is held, goes to `sink`.
    func attach(_ sink: @escaping @Sendable (GuestEvent) -> Void) {
        self.sink = sink
        let frames = held
        held = []
        heldBytes = 0
        for one in frames { deliver(one.frame, isAnswer: one.isAnswer) }
        if case .ended(let loss) = stage {
            self.sink = nil
            return sink(.lost(loss))
        }
        catchUp()
        pauseOrRead()
    }

    /// The next frame goes to `promise`. One at a time, and only before `attach`.
    func expect(_ promise: EventLoopPromise<Frame>, within limit: TimeAmount) {
        while !held.isEmpty {
            let first = held.removeFirst()
            heldBytes -= first.frame.wireSize
            count(first.frame)
            if !first.isAnswer { return promise.succeed(first.frame) }
        }
        if case .ended(let loss) = stage { return promise.fail(loss) }
        waiter = promise
        let deadline = promise.futureResult.eventLoop.assumeIsolated().scheduleTask(in: limit) { self.end(.silent) }
        promise.futureResult.assumeIsolated().whenComplete { _ in deadline.cancel() }
    }

    /// Sends a request; the reply goes to `promise`, before or after `attach`.
    func request(
        _ make: (_ request: UInt32) -> Frame, _ promise: EventLoopPromise<Reply>, within limit: TimeAmount
    ) {
        if case .ended(let loss) = stage { return promise.fail(loss) }
        lastRequest += 1
        let number = lastRequest
        answers[number] = promise
        let deadline = promise.futureResult.eventLoop.assumeIsolated().scheduleTask(in: limit) {
            self.answers.removeValue(forKey: number)?.fail(GuestLoss.silent)
            // The guest may only be slow: its reply is of no more use then, but no offence.
            self.late.insert(number)
        }
        promise.futureResult.assumeIsolated().whenComplete { _ in deadline.cancel() }
        send([make(number)])
    }

    func send(_ frames: [Frame]) {
        guard case .framed = stage, !frames.isEmpty else { return }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(frames.reduce(0) { $0 + $1.wireSize })
        for frame in frames { frame.encode(into: &bytes) }
        write(bytes)
    }

    /// Ends the connection for the given reason; the first one counts.
    func end(_ loss: GuestLoss) {
        if case .ended = stage { return }
        stage = .ended(loss)
        resumed.fail(loss)
        let waiter = waiter
        self.waiter = nil
        waiter?.fail(loss)
        let answers = answers
        self.answers = [:]
        for promise in answers.values { promise.fail(loss) }
        if !isMute { tellLoss(loss) }
        context?.close(promise: nil)
    }

    private func tellLoss(_ loss: GuestLoss) {
        // Who discards a machine need not be told.
        if loss != .discarded { sink?(.lost(loss)) }
        sink = nil
    }

    /// While it is mute the end of the connection is told to nobody; it is afterwards.
    func setMute(_ isMute: Bool) {
        self.isMute = isMute
        if !isMute, case .ended(let loss) = stage { tellLoss(loss) }
    }

    func write(_ bytes: [UInt8]) {
        guard let context else { return }
        unsent += bytes.count
        guard unsent <= GuestHandler.maximumUnsent else { return end(.stalled) }
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)))
            .assumeIsolated().whenComplete { _ in self.unsent -= bytes.count }
    }

    private func take(_ frame: Frame) {
        let isAnswer = answer(with: frame)
        if let waiter, !isAnswer {
            self.waiter = nil
            count(frame)
            waiter.succeed(frame)
        } else if sink != nil {
            deliver(frame, isAnswer: isAnswer)
        } else {
            held.append(Held(frame: frame, isAnswer: isAnswer))
            heldBytes += frame.wireSize
            pauseOrRead()
        }
    }

    private func answer(with frame: Frame) -> Bool {
        guard frame.kind == .reply, frame.stream == 0, !(answers.isEmpty && late.isEmpty),
            let reply = try? Reply(frame)
        else { return false }
        if let promise = answers.removeValue(forKey: reply.request) {
            promise.succeed(reply)
            return true
        }
        return late.remove(reply.request) != nil
    }

    private func deliver(_ frame: Frame, isAnswer: Bool) {
        let position = received.value + UInt64(frame.wireSize)
        if !isAnswer { sink?(.frame(frame, position: position)) }
        count(frame)
    }

    private func catchUp() {
        guard let sink, received.value > kept else { return }
        sink(.caughtUp(position: received.value))
        kept = received.value
        acknowledge()
    }

    private func count(_ frame: Frame) { received.add(UInt64(frame.wireSize)) }

    /// One acknowledgement in flight at a time, so a guest that talks but does not read makes nothing grow.
    private func acknowledge() {
        let position = kept
        guard case .framed = stage, position > acknowledged, !isAcknowledging, let context else { return }
        acknowledged = position
        isAcknowledging = true
        var fields = FieldWriter()
        fields.integer(position)
        var bytes: [UInt8] = []
        Frame(.ack, payload: fields.bytes).encode(into: &bytes)
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)))
            .assumeIsolated().whenComplete { _ in
                self.isAcknowledging = false
                self.acknowledge()
            }
    }

    private func pauseOrRead() {
        guard let context else { return }
        let reads = heldBytes <= GuestHandler.maximumHeld
        try? context.channel.syncOptions?.setOption(ChannelOptions.autoRead, value: reads)
    }
}

/// A count that its loop writes and anybody reads.
final class Counter: Sendable {
    private let count: Atomic<UInt64>
    init(_ value: UInt64) { count = Atomic(value) }
    var value: UInt64 { count.load(ordering: .acquiring) }
    func add(_ more: UInt64) { count.wrappingAdd(more, ordering: .releasing) }
}
