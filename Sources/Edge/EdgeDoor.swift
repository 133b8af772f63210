import NIOCore
import NIOHTTP1
import Synchronization

/// What strangers' connections must keep to: so many at a time, and a request's headers within a while.
final class EdgeDoor: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    private let limit: TimeAmount
    private var deadline: Scheduled<Void>?

    init(limit: TimeAmount) { self.limit = limit }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head = unwrapInboundIn(data) { deadline?.cancel() }
        context.fireChannelRead(data)
    }

    func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }
}

/// The connections that are open.
final class EdgeConnections: Sendable {
    struct Full: Error {}

    private let maximum: Int
    private let count = Mutex(0)

    init(maximum: Int) { self.maximum = maximum }

    /// Counts a connection until it is closed.
    func enter(_ channel: any Channel) throws(Full) {
        let hasRoom = count.withLock { count in
            guard count < maximum else { return false }
            count += 1
            return true
        }
        guard hasRoom else { throw Full() }
        channel.closeFuture.whenComplete { _ in self.count.withLock { $0 -= 1 } }
    }
}
