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
    private var held: [Frame] = []
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
        for frame in frames { deliver(frame) }
        if case .ended(let loss) = stage {
            self.sink = nil
            return sink(.lost(loss))
        }
        catchUp()
        pauseOrRead()
    }

    /// The next frame goes to `promise`. One at a time, and only before `attach`.
    func expect(_ promise: EventLoopPromise<Frame>, within limit: TimeAmount) {
        if !held.isEmpty {
            let frame = held.removeFirst()
            heldBytes -= frame.wireSize
            count(frame)
            return promise.succeed(frame)
        }
        if case .ended(let loss) = stage { return promise.fail(loss) }
        waiter = promise
        let deadline = promise.futureResult.eventLoop.assumeIsolated().scheduleTask(in: limit) { self.end(.silent) }
        promise.futureResult.assumeIsolated().whenComplete { _ in deadline.cancel() }
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
        // Who discards a machine need not be told.
        if loss != .discarded { sink?(.lost(loss)) }
        sink = nil
        context?.close(promise: nil)
    }

    func write(_ bytes: [UInt8]) {
        guard let context else { return }
        unsent += bytes.count
        guard unsent <= GuestHandler.maximumUnsent else { return end(.stalled) }
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)))
            .assumeIsolated().whenComplete { _ in self.unsent -= bytes.count }
    }

    private func take(_ frame: Frame) {
        if let waiter {
            self.waiter = nil
            count(frame)
            waiter.succeed(frame)
        } else if sink != nil {
            deliver(frame)
        } else {
            held.append(frame)
            heldBytes += frame.wireSize
            pauseOrRead()
        }
    }

    private func deliver(_ frame: Frame) {
        let position = received.value + UInt64(frame.wireSize)
        sink?(.frame(frame, position: position))
        count(frame)
    }

    private func catchUp() {
        guard let sink, received.value > kept else { return }
        sink(.caughtUp)
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
