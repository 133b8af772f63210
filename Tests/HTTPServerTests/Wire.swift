import Foundation
import NIOCore
import NIOPosix

/// A client's side of one HTTP connection, over a real socket. Reads no further than it is asked to.
struct Wire {
    struct Reply: Sendable {
        var status = 0
        var headers: [String: String] = [:]
        var body: [UInt8] = []
        var text: String { String(decoding: body, as: UTF8.self) }

        func json() throws -> [String: Any] {
            let value = try JSONSerialization.jsonObject(with: Data(body))
            return value as? [String: Any] ?? [:]
        }
    }

    struct Ended: Error {}

    private var input: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let output: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var buffer = ByteBuffer()
    /// Bytes of the current body to come; nil in a chunked one.
    private var remaining: Int?
    private var isChunked = false

    static func with<Value: Sendable>(
        _ address: ServerFixture.Address, _ body: (inout Wire) async throws -> Value
    ) async throws -> Value {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.socketOption(.so_rcvbuf), value: 64 * 1024)
            .channelOption(.allowRemoteHalfClosure, value: true)
        let setUp: @Sendable (any Channel) -> EventLoopFuture<NIOAsyncChannel<ByteBuffer, ByteBuffer>> = { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel(
                    wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
            }
        }
        let channel =
            switch address {
            case .port(let port): try await bootstrap.connect(host: "127.0.0.1", port: port, channelInitializer: setUp)
            case .socket(let path):
                try await bootstrap.connect(unixDomainSocketPath: path, channelInitializer: setUp)
            }
        return try await channel.executeThenClose { input, output in
            var wire = Wire(input: input.makeAsyncIterator(), output: output)
            return try await body(&wire)
        }
    }

    private init(
        input: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator, output: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.input = input
        self.output = output
    }

    func send(_ text: String) async throws { try await output.write(ByteBuffer(string: text)) }

    /// Says that no more will come, and goes on reading.
    func endSending() { output.finish() }

    func send(_ bytes: [UInt8]) async throws { try await output.write(ByteBuffer(bytes: bytes)) }

    func request(
        _ method: String, _ path: String, token: String?, headers: [String] = [], body: [UInt8]? = nil
    ) async throws {
        var lines = ["\(method) \(path) HTTP/1.1", "Host: localhost"] + headers
        if let token { lines.append("Authorization: Bearer \(token)") }
        if let body { lines.append("Content-Length: \(body.count)") }
        try await send(lines.joined(separator: "\r\n") + "\r\n\r\n")
        if let body, !body.isEmpty { try await send(body) }
    }

    /// Status and headers; the body follows by `piece`.
    mutating func head() async throws -> Reply {
        var reply = Reply()
        let first = try await line().split(separator: " ")
        reply.status = first.count > 1 ? Int(first[1]) ?? 0 : 0
        while true {
            let line = try await line()
            guard !line.isEmpty else { break }
            let halves = line.split(separator: ":", maxSplits: 1)
            reply.headers[halves[0].lowercased()] =
                halves.count > 1 ? halves[1].trimmingCharacters(in: .whitespaces) : ""
        }
        isChunked = reply.headers["transfer-encoding"] == "chunked"
        remaining = isChunked ? nil : reply.headers["content-length"].flatMap { Int($0) } ?? 0
        return reply
    }

    /// The next piece of the body, or nil at its end.
    mutating func piece() async throws -> [UInt8]? {
        if isChunked {
            let size = Int(try await line().split(separator: ";")[0], radix: 16) ?? 0
            let bytes = try await exactly(size)
            _ = try await line()
            if size == 0 { isChunked = false }
            return size == 0 ? nil : bytes
        }
        guard let count = remaining, count > 0 else { return nil }
        remaining = 0
        return try await exactly(count)
    }

    mutating func reply() async throws -> Reply {
        var reply = try await head()
        while let piece = try await piece() { reply.body += piece }
        return reply
    }

    /// Whether the other side closes without a further byte.
    mutating func isClosed() async throws -> Bool {
        guard buffer.readableBytes == 0 else { return false }
        do { return try await !more() } catch { return true }
    }

    private mutating func line() async throws -> String {
        while true {
            if let index = buffer.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
                let text = buffer.readString(length: index - buffer.readerIndex + 1) ?? ""
                return text.trimmingCharacters(in: .newlines)
            }
            guard try await more() else { throw Ended() }
        }
    }

    private mutating func exactly(_ count: Int) async throws -> [UInt8] {
        while buffer.readableBytes < count { guard try await more() else { throw Ended() } }
        return buffer.readBytes(length: count) ?? []
    }

    private mutating func more() async throws -> Bool {
        guard var next = try await input.next() else { return false }
        buffer.discardReadBytes()
        buffer.writeBuffer(&next)
        return true
    }
}
