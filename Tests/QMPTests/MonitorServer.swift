import Foundation
import NIOCore
import NIOPosix

@testable import QMP

/// A real little server that speaks the monitor's protocol on a Unix socket, as the test tells it to.
final class MonitorServer: Sendable {
    static let greeting =
        #"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "x"}, "capabilities": []}}"#

    /// What a line of a client is answered with: bytes, and whether the connection ends behind them.
    struct Answer {
        var bytes: String
        var closes = false
        static func line(_ text: String) -> Answer { Answer(bytes: text + "\r\n") }
        static let nothing = Answer(bytes: "")
    }

    let path: String
    private let channel: any Channel
    private let accepted: AsyncStream<any Channel>

    static func with<T>(
        greeting: String = MonitorServer.greeting + "\r\n", reads: Bool = true,
        answer: @escaping @Sendable (_ command: String, _ id: Int64) -> Answer,
        _ body: (MonitorServer) async throws -> T
    ) async throws -> T {
        let path = "/tmp/mags-qmp-\(UInt32.random(in: 0 ... .max)).sock"
        let (accepted, tell) = AsyncStream.makeStream(of: (any Channel).self)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: reads)
            .childChannelInitializer { channel in
                tell.yield(channel)
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Connection(greeting: greeting, answer: answer))
                }
            }
            .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
        defer { unlink(path) }
        let server = MonitorServer(path: path, channel: channel, accepted: accepted)
        do {
            let result = try await body(server)
            try await channel.close()
            return result
        } catch {
            try? await channel.close()
            throw error
        }
    }

    private init(path: String, channel: any Channel, accepted: AsyncStream<any Channel>) {
        self.path = path
        self.channel = channel
        self.accepted = accepted
    }

    /// Closes the first connection; what it has not read is lost, as when a process is killed.
    func hangUp() async throws {
        for await connection in accepted { return try await connection.close() }
    }

    private final class Connection: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let greeting: String
        private let answer: @Sendable (String, Int64) -> Answer
        private var received = ByteBuffer()

        init(greeting: String, answer: @escaping @Sendable (String, Int64) -> Answer) {
            self.greeting = greeting
            self.answer = answer
        }

        func channelActive(context: ChannelHandlerContext) { write(context, greeting) }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var chunk = unwrapInboundIn(data)
            received.writeBuffer(&chunk)
            while let end = received.readableBytesView.firstIndex(of: 10) {
                guard let line = received.readData(length: end - received.readerIndex + 1),
                    let value = try? JSONDecoder().decode(QMPValue.self, from: line),
                    let command = value["execute"]?.text, let id = value["id"]?.integer
                else { return context.close(promise: nil) }
                let answer =
                    command == "qmp_capabilities" ? .line(#"{"return": {}, "id": \#(id)}"#) : answer(command, id)
                write(context, answer.bytes)
                if answer.closes { context.close(promise: nil) }
            }
        }

        private func write(_ context: ChannelHandlerContext, _ text: String) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        }
    }
}

extension ByteBuffer {
    fileprivate mutating func readData(length: Int) -> Data? { readBytes(length: length).map { Data($0) } }
}
