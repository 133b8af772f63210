import Foundation
import HTTPTypes
import MagsAPI
import MagsModel
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// What a connection must keep to: headers within their limits, bodies that arrive at a pace, and an end after an
/// answer that says `Connection: close` or that did not need the whole body.
final class ConnectionRules: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    struct Pace: Sendable {
        /// A body that brings less than `bytes` in each `interval` is cut off.
        var interval = TimeAmount.seconds(30)
        var bytes = 16 * 1024
        /// How long a client may go on sending after an answer that closes the connection.
        var linger = TimeAmount.seconds(2)
    }

    private let pace: Pace
    private var check: Scheduled<Void>?
    private var receivedBytes = 0
    private var isAnswering = false
    private var isClosing = false
    /// Requests that have come whole, and answers that have gone.
    private var (wholeRequests, answers) = (0, 0)

    init(pace: Pace) { self.pace = pace }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            watch(context)
            // The body is wanted: what is wrong with it shows when it comes.
            if head.headerFields[.expect]?.lowercased() == "100-continue" {
                context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
            }
        case .body(let bytes): receivedBytes += bytes.readableBytes
        case .end:
            wholeRequests += 1
            stopWatching()
        }
        context.fireChannelRead(data)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        // A client that left without a word, or closed its half first, shows when it answers no more. There is no such
        // thing on a Unix socket, whose end is always told.
        let channel = context.channel
        channel.setOption(.socketOption(.so_keepalive), value: 1).whenSuccess { _ in
            for option in [TCP_KEEPIDLE, TCP_KEEPINTVL] {
                channel.setOption(.tcpOption(.init(rawValue: option)), value: 15).cascade(to: nil)
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        stopWatching()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { stopWatching() }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head):
            isAnswering = true
            // What is left of a body that nobody wants could go on for ever.
            if wholeRequests <= answers { head.headerFields[.connection] = "close" }
            isClosing = head.headerFields[.connection]?.lowercased() == "close"
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body: context.write(data, promise: promise)
        case .end:
            isAnswering = false
            answers += 1
            guard isClosing else { return context.write(data, promise: promise) }
            // Not before all of it has gone: a client that reads slowly gets the rest too.
            let gone = promise ?? context.eventLoop.makePromise(of: Void.self)
            gone.futureResult.assumeIsolated().whenComplete { _ in self.close(context) }
            context.writeAndFlush(data, promise: gone)
        }
    }

    /// The decoder met what is no HTTP, or headers beyond the limits.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError, !isAnswering, !isClosing else { return context.close(promise: nil) }
        var reply = ErrorReply(error: "The request is not HTTP.", code: "bad_request", requestID: "unread")
        var status = HTTPResponse.Status.badRequest
        if let error = error as? HTTPParserError, error == .headerOverflow {
            reply.code = "headers_too_large"
            reply.error =
                "A header field has at most \(Limits.headerFieldBytes / 1024) KiB, all together "
                + "\(Limits.headerBytes / 1024) KiB."
            status = .requestHeaderFieldsTooLarge
        }
        let bytes = (try? JSONBytes.encode(reply)) ?? []
        let fields: HTTPFields = [
            .contentType: "application/json", .contentLength: "\(bytes.count)", .connection: "close",
        ]
        write(
            context: context, data: wrapOutboundOut(.head(HTTPResponse(status: status, headerFields: fields))),
            promise: nil)
        write(context: context, data: wrapOutboundOut(.body(ByteBuffer(bytes: bytes))), promise: nil)
        write(context: context, data: wrapOutboundOut(.end(nil)), promise: nil)
    }

    /// Says that no more will come, and lets the client finish its sending for a moment: a connection that is torn
    /// down under unread bytes takes the answer with it.
    private func close(_ context: ChannelHandlerContext) {
        stopWatching()
        context.close(mode: .output, promise: nil)
        let channel = context.channel
        context.eventLoop.scheduleTask(in: pace.linger) { channel.close(promise: nil) }
    }

    private func watch(_ context: ChannelHandlerContext) {
        receivedBytes = 0
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        check = context.eventLoop.scheduleTask(in: pace.interval) {
            let (rules, context) = bound.value
            guard rules.receivedBytes >= rules.pace.bytes else { return context.close(promise: nil) }
            rules.watch(context)
        }
    }

    private func stopWatching() {
        check?.cancel()
        check = nil
    }
}
