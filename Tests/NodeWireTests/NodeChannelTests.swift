import Foundation
import MagsModel
import NIOCore
import NIOPosix
import NodeWire
import Synchronization
import Testing

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
