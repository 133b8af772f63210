import Foundation
import MagsModel
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import NodeWire

@Suite("A connection between a node and the control plane")
struct NodeChannelTests {
    @Test("keeps the order of what is sent, from its own thread and from others in turn")
    func order() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let path = NSTemporaryDirectory() + "mags-\(UUID().uuidString.prefix(8)).sock"
        let listener = try await NodeListener.bind(path: path, group: group)
        let client = try await NodeChannel.connect(path: path, group: group)
        var connections = listener.connections.makeAsyncIterator()
        let node = try #require(await connections.next())
        let count: UInt64 = 4000
        let next = Mutex<UInt64>(0)
        @Sendable func send() -> Bool {
            next.withLock { next in
                guard next < count else { return false }
                node.send(.records(reader: 1, offset: next, ByteBuffer()))
                next += 1
                return true
            }
        }
        @Sendable func sendOnLoop() { if send() { group.next().execute { sendOnLoop() } } }
        group.next().execute { sendOnLoop() }
        Thread.detachNewThread { while send() {} }
        var frames = client.frames.makeAsyncIterator()
        var offsets: [UInt64] = []
        while offsets.count < count, case .records(_, let offset, _) = await frames.next() { offsets.append(offset) }
        #expect(offsets == Array(0..<count))
        client.close()
        await listener.close()
        try await group.shutdownGracefully()
    }

    @Test("ends when the other side does not read, before what waits for it fills the memory", .timeLimit(.minutes(1)))
    func unread() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let path = NSTemporaryDirectory() + "mags-\(UUID().uuidString.prefix(8)).sock"
        let (ends, found) = AsyncStream.makeStream(of: NodeChannel.self)
        let listener = try await ServerBootstrap(group: group)
            .childChannelInitializer { child in
                NodeChannel.install(on: child, maximumPendingBytes: 1 << 20).map { found.yield($0) }
            }
            .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
        let reader = try await ClientBootstrap(group: group).channelOption(.autoRead, value: false)
            .connect(unixDomainSocketPath: path).get()
        var iterator = ends.makeAsyncIterator()
        let node = try #require(await iterator.next())
        for _ in 0..<8 { node.send(.records(reader: 1, offset: 0, ByteBuffer(repeating: 7, count: 1 << 20))) }
        for await _ in node.frames { Issue.record("nothing was sent to it") }
        // It may have seen the end already.
        try? await reader.close()
        try await listener.close()
    }

    @Test("carries records with their reader and their offset, and reports between them, in order")
    func carries() async throws {
        let path = NSTemporaryDirectory() + "mags-\(UUID().uuidString.prefix(8)).sock"
        let listener = try await NodeListener.bind(path: path, group: MultiThreadedEventLoopGroup.singleton)
        let client = try await NodeChannel.connect(path: path, group: MultiThreadedEventLoopGroup.singleton)
        var connections = listener.connections.makeAsyncIterator()
        let node = try #require(await connections.next())
        let offset: UInt64 = 1 << 40
        node.send(.records(reader: 7, offset: offset, ByteBuffer(string: "abc")))
        node.send(.report(.outputSkipped(reader: 7, to: offset + 9, stdout: 5, stderr: .max)))
        node.send(.records(reader: 8, offset: 0, ByteBuffer()))
        var frames = client.frames.makeAsyncIterator()
        guard case .records(reader: 7, offset: offset, let bytes) = await frames.next() else {
            Issue.record("no records")
            return
        }
        #expect(String(buffer: bytes) == "abc")
        guard case .report(.outputSkipped(reader: 7, to: offset + 9, stdout: 5, stderr: .max)) = await frames.next()
        else {
            Issue.record("no report")
            return
        }
        guard case .records(reader: 8, offset: 0, let empty) = await frames.next() else {
            Issue.record("no records")
            return
        }
        #expect(empty.readableBytes == 0)
        client.close()
        await listener.close()
    }
}
