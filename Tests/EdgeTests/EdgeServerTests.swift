import Edge
import Logging
import NIOCore
import NIOPosix
import Testing

@Suite("The edge")
struct EdgeServerTests {
    private static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    private static func with(
        _ change: (inout EdgeServer.Limits) -> Void = { _ in }, _ body: (Int) async throws -> Void
    ) async throws {
        var limits = EdgeServer.Limits()
        change(&limits)
        let server = try await EdgeServer.bind(
            host: "127.0.0.1", port: 0, group: .singleton, limits: limits, logger: logger)
        do {
            try await body(server.port ?? 0)
        } catch {
            await server.close()
            throw error
        }
        await server.close()
    }

    private static func connect(_ port: Int) async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel(wrappingChannelSynchronously: channel) }
            }
    }

    /// What comes until the other side closes, after this was sent.
    private static func answer(_ port: Int, to text: String) async throws -> String {
        try await connect(port).executeThenClose { input, output in
            try? await output.write(ByteBuffer(string: text))
            var answer = ""
            do { for try await bytes in input { answer += String(buffer: bytes) } } catch is IOError {}
            return answer
        }
    }

    @Test("answers every name with a page that says that nobody opened it")
    func page() async throws {
        try await EdgeServerTests.with { port in
            let answer = try await EdgeServerTests.answer(port, to: "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 404"))
            #expect(answer.contains("No such name"))
        }
    }

    @Test("closes on a client that is slow with its headers, silent or not")
    func slow() async throws {
        try await EdgeServerTests.with {
            $0.headerTime = .milliseconds(50)
        } _: { port in
            for beginning in ["", "GET / HTTP/1.1\r\nHost: x\r\n"] {
                let answer = try await EdgeServerTests.answer(port, to: beginning)
                #expect(answer.isEmpty)
            }
        }
    }

    @Test("takes no endless headers")
    func large() async throws {
        try await EdgeServerTests.with { port in
            let field = "X: " + String(repeating: "x", count: 20_000) + "\r\n"
            let answer = try await EdgeServerTests.answer(port, to: "GET / HTTP/1.1\r\n\(field)\r\n")
            #expect(!answer.contains("404"))
        }
    }

    @Test("has so many connections at a time, and takes another when one has gone")
    func connections() async throws {
        try await EdgeServerTests.with {
            $0.connections = 1
        } _: { port in
            try await EdgeServerTests.connect(port).executeThenClose { input, output in
                try await output.write(ByteBuffer(string: "GET"))
                let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
                let refused = try await EdgeServerTests.answer(port, to: request)
                #expect(refused.isEmpty)
                try await output.write(ByteBuffer(string: String(request.dropFirst(3))))
                for try await _ in input {}
                // The server may count the first one a moment longer than this side sees it.
                var answer = ""
                while answer.isEmpty { answer = try await EdgeServerTests.answer(port, to: request) }
                #expect(answer.hasPrefix("HTTP/1.1 404"))
            }
        }
    }
}
