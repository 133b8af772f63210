package import Logging
package import NIOCore
import NIOHTTP1
package import NIOPosix

/// The proxy for users' traffic, a process of its own. No address leads to a machine yet: every name is answered with the
/// page that says so.
package struct EdgeServer: Sendable {
    package struct Limits: Sendable {
        package var connections = 1024
        package var headerTime = TimeAmount.seconds(10)
        package var headerBytes = 64 * 1024

        package init() {}
    }

    private let channel: any Channel

    /// - Throws: when the port is taken.
    package static func bind(
        host: String, port: Int, group: MultiThreadedEventLoopGroup, limits: Limits = Limits(), logger: Logger
    ) async throws -> EdgeServer {
        let connections = EdgeConnections(maximum: limits.connections)
        var decoding = NIOHTTPDecoderLimitConfiguration()
        decoding.maxHeaderFieldSize = limits.headerBytes / 4
        decoding.maxHeaderListSize = limits.headerBytes
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { [decoding] child in
                child.eventLoop.makeCompletedFuture {
                    try connections.enter(child)
                    let operations = child.pipeline.syncOperations
                    try operations.addHandler(IdleStateHandler(readTimeout: .seconds(30)))
                    try operations.configureHTTPServerPipeline(
                        withErrorHandling: true, withEncoderConfiguration: .init(),
                        withDecoderLimitConfiguration: decoding)
                    try operations.addHandler(EdgeDoor(limit: limits.headerTime))
                    try operations.addHandler(NoSuchName())
                }
            }
            .bind(host: host, port: port).get()
        logger.info("edge listens", metadata: ["address": "\(channel.localAddress?.description ?? "?")"])
        return EdgeServer(channel: channel)
    }

    package var port: Int? { channel.localAddress?.port }

    /// Returns when the listener is closed.
    package func run() async throws { try await channel.closeFuture.get() }

    package func close() async { try? await channel.close() }
}
