import AsyncHTTPClient
package import NIOCore

/// Ends a connection from which bytes are wanted and on which none have come or gone for too long.
///
/// It stands next to the socket. A reader that pauses stops asking for bytes, and then their absence says nothing about
/// the server: the time counts only while a read is outstanding.
package final class SilenceHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundIn = ByteBuffer

    private let limit: TimeAmount
    /// A connection is handed over with its first read under way.
    private var isReading = true
    private var lastSign = NIODeadline.uptimeNanoseconds(0)
    private var check: Scheduled<Void>?

    package init(limit: TimeAmount) { self.limit = limit }

    package func handlerAdded(context: ChannelHandlerContext) {
        lastSign = context.eventLoop.now
        schedule(in: limit, context)
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        check?.cancel()
        check = nil
    }

    package func channelInactive(context: ChannelHandlerContext) {
        handlerRemoved(context: context)
        context.fireChannelInactive()
    }

    package func read(context: ChannelHandlerContext) {
        if !isReading {
            isReading = true
            lastSign = context.eventLoop.now
            if check == nil { schedule(in: limit, context) }
        }
        context.read()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReading = false
        context.fireChannelRead(data)
    }

    /// What is sent is a sign of life too: a long upload has its answer at its end.
    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        lastSign = context.eventLoop.now
        context.write(data, promise: promise)
    }

    /// One task that looks again later is less work than one for each read.
    private func schedule(in delay: TimeAmount, _ context: ChannelHandlerContext) {
        check = context.eventLoop.assumeIsolated().scheduleTask(in: delay) {
            self.check = nil
            guard self.isReading else { return }
            let rest = self.lastSign + self.limit - context.eventLoop.now
            guard rest <= .zero else { return self.schedule(in: rest, context) }
            context.fireErrorCaught(HTTPClientError.readTimeout)
            context.close(promise: nil)
        }
    }
}
