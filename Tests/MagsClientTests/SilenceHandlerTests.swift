import MagsClient
import NIOCore
import NIOEmbedded
import Testing

@Suite("A connection on which nothing comes")
struct SilenceHandlerTests {
    /// A connection as it is handed over: with its first read under way.
    private static func channel() async throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(handler: SilenceHandler(limit: .seconds(60)))
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        return channel
    }

    private static func advance(_ channel: EmbeddedChannel, _ seconds: Int64) {
        channel.embeddedEventLoop.advanceTime(by: .seconds(seconds))
    }

    /// What came of the channel, its error taken out.
    private static func isOpen(_ channel: EmbeddedChannel) -> Bool {
        try? channel.throwIfErrorCaught()
        return channel.isActive
    }

    @Test("is ended when bytes were wanted for a minute")
    func silent() async throws {
        let channel = try await SilenceHandlerTests.channel()
        SilenceHandlerTests.advance(channel, 59)
        #expect(SilenceHandlerTests.isOpen(channel))
        SilenceHandlerTests.advance(channel, 1)
        #expect(throws: (any Error).self) { try channel.throwIfErrorCaught() }
        #expect(!channel.isActive)
    }

    @Test("is kept for as long as its reader pauses, and the minute begins when it reads on")
    func pause() async throws {
        let channel = try await SilenceHandlerTests.channel()
        try channel.writeInbound(ByteBuffer(string: "x"))
        SilenceHandlerTests.advance(channel, 100_000)
        #expect(SilenceHandlerTests.isOpen(channel))
        channel.read()
        SilenceHandlerTests.advance(channel, 59)
        #expect(SilenceHandlerTests.isOpen(channel))
        SilenceHandlerTests.advance(channel, 1)
        #expect(!SilenceHandlerTests.isOpen(channel))
    }

    @Test("is kept while bytes come or go")
    func traffic() async throws {
        let channel = try await SilenceHandlerTests.channel()
        for step in 0..<20 {
            SilenceHandlerTests.advance(channel, 50)
            if step.isMultiple(of: 2) {
                try channel.writeOutbound(ByteBuffer(string: "x"))
            } else {
                try channel.writeInbound(ByteBuffer(string: "x"))
                channel.read()
            }
        }
        #expect(SilenceHandlerTests.isOpen(channel))
        SilenceHandlerTests.advance(channel, 60)
        #expect(!SilenceHandlerTests.isOpen(channel))
    }
}
