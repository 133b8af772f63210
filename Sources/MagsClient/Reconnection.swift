import AsyncHTTPClient

/// How a stream that was cut off is taken up again: after a while, and not for ever.
struct Reconnection {
    private let client: MagsClient
    private let follows: Bool
    private var backoff: Backoff
    /// What must pass before the next connection.
    private var delay: Duration?

    /// - Parameter follows: what comes is waited for; else it should be there.
    init(_ client: MagsClient, follows: Bool) {
        self.client = client
        self.follows = follows
        backoff = Backoff(client.retries)
    }

    /// Waits as long as the last loss asks for.
    mutating func pause() async throws {
        if let delay { try await Task.sleep(for: delay) }
        delay = nil
    }

    /// Something new came: the next loss is the first again.
    mutating func progress() { backoff.reset() }

    /// - Returns: nil for a connection that was merely silent: a job that is followed may say nothing for hours.
    /// - Throws: when it is time to give up.
    mutating func lost(_ error: any Error) throws -> MagsError? {
        if follows, let error = error as? HTTPClientError, error == .readTimeout { return nil }
        let patience = follows ? client.retries.followPatience : client.retries.patience
        let failure = try client.transport.failure(of: error)
        guard failure.error.isRetryable,
            let delay = backoff.delay(patience: patience, wish: failure.wish)
        else { throw failure.error }
        self.delay = delay
        return failure.error
    }
}
