import Glibc
package import NIOCore
package import NIOHTTP1
import NIOPosix
import Synchronization

/// A real HTTP server on a free port of loopback, or on a Unix socket, that can misbehave on purpose.
package final class HTTPDouble: Sendable {
    package struct Request: Sendable {
        package var method: HTTPMethod
        package var path: String
        package var query: [String: String]
        package var headers: HTTPHeaders
        package var body: [UInt8]

        package func header(_ name: String) -> String? { headers.first(name: name) }
    }

    package struct Reply: Sendable {
        package enum Ending: Sendable {
            case complete
            /// The connection is closed when this many bytes of the body are out.
            case cut(after: Int)
            /// The body goes out and nothing follows.
            case never
        }
        package var status = 200
        package var headers: HTTPHeaders = ["Content-Type": "application/json"]
        package var body: [UInt8]
        package var ending = Ending.complete

        package init(status: Int = 200, body: [UInt8], ending: Ending = .complete) {
            self.status = status
            self.body = body
            self.ending = ending
        }
    }

    private struct State {
        var requests: [Request] = []
        var waiters: [(matches: @Sendable (Request) -> Bool, continuation: CheckedContinuation<Request, Never>)] = []
        var channels: [any Channel] = []
        var holds: (@Sendable (Request) -> Bool)?
        var held: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())
    private let respond: @Sendable (Request) -> Reply

    /// - Parameter respond: called on an event loop: it must not block.
    package init(respond: @escaping @Sendable (Request) -> Reply) { self.respond = respond }

    /// - Returns: where it listens now; given again after `stop`, it listens there again.
    @discardableResult
    package func listen(at address: SocketAddress) async throws -> SocketAddress {
        // What `stop` left of a socket.
        if let path = address.pathname { unlink(path) }
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                self.state.withLock { $0.channels.append(channel) }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Exchange(server: self))
                }
            }
            .bind(to: address).get()
        state.withLock { $0.channels.append(listener) }
        guard let bound = listener.localAddress else { throw ChannelError.unknownLocalAddress }
        return bound
    }

    /// Stops listening and cuts every connection.
    package func stop() async {
        let channels = state.withLock { state in
            defer { state.channels = [] }
            return state.channels
        }
        for channel in channels { try? await channel.close() }
    }

    package var requests: [Request] { state.withLock { $0.requests } }

    /// Waits for a request of this kind, which may have come already.
    package func request(where matches: @escaping @Sendable (Request) -> Bool) async -> Request {
        await withCheckedContinuation { continuation in
            let known = state.withLock { state -> Request? in
                if let known = state.requests.first(where: matches) { return known }
                state.waiters.append((matches, continuation))
                return nil
            }
            if let known { continuation.resume(returning: known) }
        }
    }

    /// Answers to such requests wait for `release`.
    package func hold(where matches: @escaping @Sendable (Request) -> Bool) {
        state.withLock { $0.holds = matches }
    }

    package func release() {
        let held = state.withLock { state in
            defer { (state.holds, state.held) = (nil, []) }
            return state.held
        }
        for answer in held { answer() }
    }

    /// Runs the work now, or when answers to such requests are released.
    fileprivate func whenFree(_ request: Request, _ work: @escaping @Sendable () -> Void) {
        let isHeld = state.withLock { state in
            guard state.holds?(request) == true else { return false }
            state.held.append(work)
            return true
        }
        if !isHeld { work() }
    }

    fileprivate func answer(_ request: Request) -> Reply {
        let due = state.withLock { state in
            state.requests.append(request)
            let due = state.waiters.filter { $0.matches(request) }
            state.waiters.removeAll { $0.matches(request) }
            return due
        }
        defer { for waiter in due { waiter.continuation.resume(returning: request) } }
        return respond(request)
    }
}

/// Takes requests whole and writes what the server answers.
private final class Exchange: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let server: HTTPDouble
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []

    init(server: HTTPDouble) { self.server = server }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = []
        case .body(let bytes): body += bytes.readableBytesView
        case .end:
            guard let head else { return }
            let request = HTTPDouble.Request(head, body)
            let reply = server.answer(request)
            let loop = context.eventLoop
            let place = NIOLoopBound((handler: self, context: context), eventLoop: loop)
            server.whenFree(request) { loop.execute { place.value.handler.write(reply, place.value.context) } }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func write(_ reply: HTTPDouble.Reply, _ context: ChannelHandlerContext) {
        var body = reply.body
        var headers = reply.headers
        if case .complete = reply.ending { headers.add(name: "Content-Length", value: "\(body.count)") }
        if case .cut(let count) = reply.ending { body = Array(body.prefix(count)) }
        let status = HTTPResponseStatus(statusCode: reply.status)
        context.write(
            wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))), promise: nil)
        if !body.isEmpty {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        }
        switch reply.ending {
        case .complete: context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        case .cut:
            context.flush()
            context.close(promise: nil)
        case .never: context.flush()
        }
    }
}

extension HTTPDouble.Request {
    fileprivate init(_ head: HTTPRequestHead, _ body: [UInt8]) {
        let parts = head.uri.split(separator: "?", maxSplits: 1)
        var query: [String: String] = [:]
        for pair in parts.dropFirst().first?.split(separator: "&") ?? [] {
            let sides = pair.split(separator: "=", maxSplits: 1)
            query[String(sides[0])] = sides.count > 1 ? String(sides[1]) : ""
        }
        self.init(
            method: head.method, path: String(parts.first ?? "/"), query: query, headers: head.headers, body: body)
    }
}
