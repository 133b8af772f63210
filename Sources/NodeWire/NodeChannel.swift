public import NIOCore
import NIOPosix

/// One end of a connection between a node and the control plane: frames in as an ordered sequence, frames out from any
/// thread. What comes in is bounded by the protocol itself: output flows only within a reader's credit.
public final class NodeChannel: Sendable {
    private let channel: any Channel
    private let maximumPendingBytes: Int
    /// Ends when the connection does.
    public let frames: AsyncStream<NodeFrame>

    /// Far above what the readers' credit allows an honest other side to leave unread.
    static let maximumPendingBytes = 512 << 20

    init(
        channel: any Channel, frames: AsyncStream<NodeFrame>, maximumPendingBytes: Int = NodeChannel.maximumPendingBytes
    ) {
        self.channel = channel
        self.maximumPendingBytes = maximumPendingBytes
        self.frames = frames
    }

    /// Lost without a word when the connection is gone; `frames` ends then. Another side that does not read loses the
    /// connection: what it takes up again on the next one is all there, and memory is not its to fill.
    public func send(_ frame: NodeFrame) {
        // Always by the event loop's queue: written at once where the caller is on the loop already, a frame would
        // overtake those of other threads.
        channel.eventLoop.execute { [channel, maximumPendingBytes] in
            let pending = try? channel.syncOptions?.getOption(.bufferedWritableBytes)
            guard (pending ?? 0) <= maximumPendingBytes else { return channel.close(promise: nil) }
            channel.writeAndFlush(frame, promise: nil)
        }
    }

    public func close() { channel.close(promise: nil) }

    static func install(
        on channel: any Channel, maximumPendingBytes: Int = NodeChannel.maximumPendingBytes
    ) -> EventLoopFuture<NodeChannel> {
        let (frames, continuation) = AsyncStream.makeStream(of: NodeFrame.self)
        return channel.eventLoop.submit {
            try channel.pipeline.syncOperations.addHandlers(
                ByteToMessageHandler(NodeFrameDecoder()), MessageToByteHandler(NodeFrameEncoder()),
                NodeFrameSink(continuation))
            return NodeChannel(channel: channel, frames: frames, maximumPendingBytes: maximumPendingBytes)
        }
    }

    /// - Throws: when nobody listens at the path.
    public static func connect(path: String, group: any EventLoopGroup) async throws -> NodeChannel {
        let channel = try await ClientBootstrap(group: group)
            .connect(unixDomainSocketPath: path) { channel in install(on: channel) }
        return channel
    }
}

/// Listens for control planes on a Unix socket.
public struct NodeListener: Sendable {
    private let channel: any Channel
    public let connections: AsyncStream<NodeChannel>

    public static func bind(path: String, group: any EventLoopGroup) async throws -> NodeListener {
        let (connections, continuation) = AsyncStream.makeStream(of: NodeChannel.self)
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 16)
            .childChannelInitializer { child in
                NodeChannel.install(on: child).map { continuation.yield($0) }
            }
            .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
        channel.closeFuture.whenComplete { _ in continuation.finish() }
        return NodeListener(channel: channel, connections: connections)
    }

    public func close() async { try? await channel.close() }
}

private final class NodeFrameSink: ChannelInboundHandler {
    typealias InboundIn = NodeFrame
    private let continuation: AsyncStream<NodeFrame>.Continuation

    init(_ continuation: AsyncStream<NodeFrame>.Continuation) { self.continuation = continuation }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { continuation.yield(unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) {
        continuation.finish()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
