import AsyncHTTPClient
public import MagsAPI
import MagsModel
import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A Mags server as seen by one token.
///
/// A value without state of its own: make it where it is needed, copy it, use it from any task. Every call throws
/// ``MagsError``, or `CancellationError` when its task was cancelled.
///
/// ```swift
/// let mags = try MagsClient(environment: ProcessInfo.processInfo.environment)
/// let job = try await mags.submit(SubmitRequest(script: "echo hi"))
/// for try await event in mags.output(of: job.requestID) {
///     if case .ended(let status) = event { print(status.exitCode ?? -1) }
/// }
/// ```
public struct MagsClient: Sendable {
    /// Of this SDK and of the command line built on it.
    public static let version = MagsVersion.text

    public let address: ServerAddress
    public let retries: RetryPolicy
    let transport: Transport

    /// - Parameter token: nil for the calls that need none (`health`).
    public init(address: ServerAddress, token: String?, retries: RetryPolicy = RetryPolicy()) {
        self.address = address
        self.retries = retries
        transport = Transport(address: address, token: token)
    }

    /// Configured as the command line is; see ``Configuration``.
    ///
    /// - Throws: `not_logged_in` when there is no token.
    public init(environment: [String: String], retries: RetryPolicy = RetryPolicy()) throws(MagsError) {
        let configuration = try Configuration.load(environment: environment)
        guard let token = configuration.token else { throw .notLoggedIn(file: configuration.filePath) }
        self.init(address: configuration.address, token: token, retries: retries)
    }

    /// Whom the token speaks for.
    public func whoami() async throws -> Identity { try await ask("/api/v1/whoami") }

    /// What the server and its node found about themselves.
    public func doctor() async throws -> DoctorReply { try await ask("/api/v1/doctor") }

    public func poolStatus() async throws -> PoolStatusReply { try await ask("/api/v1/mags-jobs/pool-status") }

    /// Needs no token.
    public func health() async throws -> HealthReply { try await ask("/health") }
}

extension MagsClient {
    static let longestReply = 16 << 20

    /// A call that may be made twice without harm.
    func ask<Reply: Decodable & Sendable>(
        _ path: String, method: HTTPMethod = .GET, upTo limit: Int = MagsClient.longestReply
    ) async throws -> Reply {
        try await repeating(whenUnsure: true) {
            let response = try await transport.send(method, path)
            return try decode(try await transport.collect(response, upTo: limit))
        }
    }

    /// Tries until it works, the failure is final, or the patience is at its end.
    ///
    /// - Parameter whenUnsure: also after failures that leave open whether the server acted.
    func repeating<Reply: Sendable>(
        whenUnsure: Bool, _ attempt: () async throws -> Reply
    ) async throws -> Reply {
        var backoff = Backoff(retries)
        while true {
            let failure: Transport.Failure
            do {
                return try await attempt()
            } catch let error as Transport.Failure {
                failure = error
            }
            // A server that answers "later" is alive and deserves more patience than one that does not answer.
            let patience = failure.wish == nil ? retries.patience : retries.followPatience
            // A disk that is full now is full in a minute: sending a file of 1 GiB again and again would help nobody.
            let isFull = failure.error.status == 507
            guard failure.error.isRetryable, !isFull, whenUnsure || !failure.mayHaveActed,
                let delay = backoff.delay(patience: patience, wish: failure.wish)
            else { throw failure.error }
            try await Task.sleep(for: delay)
        }
    }

    /// One attempt, whose answer is waited for also when its caller is cancelled: somebody must undo what it did.
    ///
    /// - Throws: `unknown` when no answer came within the grace.
    func awaitingAnswer<Reply: Sendable>(
        _ grace: Duration, orThrow unknown: MagsError, _ body: @escaping @Sendable () async throws -> Reply
    ) async throws -> Reply {
        let attempt = Task { try await body() }
        do {
            return try await withTaskCancellationHandler {
                try await attempt.value
            } onCancel: {
                Task {
                    try? await Task.sleep(for: grace)
                    attempt.cancel()
                }
            }
        } catch is CancellationError {
            throw unknown
        }
    }

    func decode<Reply: Decodable>(_ body: ByteBuffer) throws -> Reply {
        do {
            return try JSONDecoder().decode(Reply.self, from: Data(body.readableBytesView))
        } catch {
            throw MagsError.badReply("not the JSON of \(Reply.self)")
        }
    }
}
