import GuestWire
import HostSystem
import NIOCore
import NIOPosix

@testable import Machines

/// A guest on the other end of a socket pair, as honest or as hostile as the test makes it.
final class WireGuest: Sendable {
    /// Told each chunk that the host sends; what it returns is sent back.
    typealias Behaviour = @Sendable (_ chunk: [UInt8]) -> [UInt8]

    let channel: any Channel

    private init(channel: any Channel) { self.channel = channel }

    func send(_ bytes: [UInt8]) { channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }

    /// Runs `body` with a link to a guest of this behaviour.
    static func with(
        key: [UInt8] = Resume.unclaimedKey, received: UInt64 = 0, _ behaviour: @escaping Behaviour,
        _ body: (GuestLink, WireGuest) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let (near, far) = try HostSystem.FileDescriptor.socketPair()
        let channel = try await ClientBootstrap(group: group).withConnectedSocket(far.take()) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(Handler(behaviour))
                return channel
            }
        }
        let link = try await GuestLink.adopt(socket: near.take(), on: group.next(), key: key, received: received)
        do {
            try await body(link, WireGuest(channel: channel))
        } catch {
            link.end(.discarded)
            try? await channel.close()
            throw error
        }
        link.end(.discarded)
        try? await channel.close()
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let behaviour: Behaviour
        init(_ behaviour: @escaping Behaviour) { self.behaviour = behaviour }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let answer = behaviour(Array(buffer: unwrapInboundIn(data)))
            if !answer.isEmpty { context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: answer)), promise: nil) }
        }
    }
}

extension [Frame] {
    var wire: [UInt8] { reduce(into: []) { $1.encode(into: &$0) } }
}

/// Answers a resume with these frames behind it; nothing else.
func answering(_ frames: [Frame], before: [UInt8] = [], key: [UInt8] = Resume.unclaimedKey) -> WireGuest.Behaviour {
    { chunk in
        chunk.withUnsafeBytes { bytes in
            guard let resume = Resume(startOf: bytes, key: key) else { return [] }
            return before + resume.answer(position: resume.received) + frames.wire
        }
    }
}

/// The same, and what the guest says to each frame of the host's after that.
func answering(
    _ frames: [Frame], then react: @escaping @Sendable (Frame) -> [UInt8]
) -> WireGuest.Behaviour {
    let answer = answering(frames)
    return { chunk in
        guard chunk.count != Resume.size else { return answer(chunk) }
        var decoder = FrameDecoder(acceptsFromGuest: false)
        decoder.append(chunk)
        var reply: [UInt8] = []
        while let frame = try? decoder.next() { reply += react(frame) }
        return reply
    }
}

/// What an acknowledgement says was kept; nil for other frames.
func acknowledged(_ frame: Frame) -> UInt64? {
    guard frame.kind == .ack else { return nil }
    var fields = FieldReader(frame.payload)
    return try? fields.integer(UInt64.self)
}
