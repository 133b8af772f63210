import ControlPlane
import Hummingbird
import MagsAPI
import MagsModel
import NIOCore
import Synchronization

/// Whether a streamed answer's client has sent its last byte. It may have left, or only closed its half of the
/// connection to say that no other request comes: which of the two, only something that is sent to it finds out.
final class ClientSigns: Sendable {
    private let isHalfClosed = Mutex(false)
    var mustProbe: Bool { isHalfClosed.withLock { $0 } }
    func noteHalfClose() { isHalfClosed.withLock { $0 = true } }
}

extension Call {
    /// A streamed answer that ends its reader when the client leaves, when its token is good no longer, or when another
    /// needs its place.
    ///
    /// - Parameters:
    ///   - lastWord: how its format says that the stream ends before the job does, and why; one without such a sign is
    ///     cut off.
    ///   - write: when it gets no records, it sends something small if `ClientSigns.mustProbe`, where its format has
    ///     something that means nothing; else the kernel finds out within a minute or so.
    func follow(
        _ feed: OutputFeed, as contentType: String,
        lastWord: (@Sendable (ErrorReply) throws -> ByteBuffer)? = nil,
        _ write: @escaping @Sendable (inout any ResponseBodyWriter, ClientSigns) async throws -> Void
    ) -> Response {
        let (body, channel, signs) = (request.body, channel, ClientSigns())
        feed.onCutOff { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in feed.fail(Problem(499, "client_left", "The client left.")) }
        return .stream(contentType) { writer in
            do {
                try await body.consumeWithInboundCloseHandler { _ in
                    try await beside(heartbeats(of: feed)) { try await write(&writer, signs) }
                } onInboundClosed: {
                    signs.noteHalfClose()
                    feed.nudge()
                }
            } catch {
                await feed.close()
                guard let lastWord, let problem = error as? Problem, Self.isTold(problem) else { throw error }
                try await writer.write(lastWord(ErrorReply(problem, requestID: RequestID().description)))
                return try await writer.finish(nil)
            }
            await feed.close()
            try await writer.finish(nil)
        }
    }

    /// The rest end a stream because its connection is closed.
    private static func isTold(_ problem: Problem) -> Bool {
        ["server_stopped", "output_unreadable", "output_damaged"].contains(problem.code)
    }

    /// At each interval lets a quiet stream show that it lives, and ends one whose token was revoked or has expired.
    private func heartbeats(of feed: OutputFeed) -> @Sendable () async throws -> Void {
        { [heartbeat = rules.heartbeat, token, channel, tokens = controlPlane.tokens] in
            while true {
                try await Task.sleep(for: heartbeat)
                // A store that cannot be read says nothing about the token.
                guard (try? await tokens.isStillGood(token)) ?? true else {
                    feed.fail(Problem(401, "invalid_token", "The token was revoked or has expired."))
                    // Also under a client that does not read.
                    return channel.close(promise: nil)
                }
                feed.nudge()
            }
        }
    }
}

/// Runs one thing beside another, and ends it with that.
func beside(
    _ companion: @escaping @Sendable () async throws -> Void, _ body: () async throws -> Void
) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await companion() }
        defer { group.cancelAll() }
        try await body()
    }
}
