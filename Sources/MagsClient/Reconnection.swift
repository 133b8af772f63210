import AsyncHTTPClient

/// How a stream that was cut off is taken up again: after a while, and not for ever.
struct Reconnection {
    private let client: MagsClient
    private let follows: Bool
    private var backoff: Backoff
    /// What must pass before the next connection.
    private var delay: Duration?
    /// A loss was told, and since then nothing that shows that it is over.
    private var isLost = false
    /// The server's word that it is being stopped, and when it came: it may be back in a moment, as after a restart of its
    /// API alone, but is not waited for.
    private var stop: (error: MagsError, at: ContinuousClock.Instant)?

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
    mutating func progress() {
        backoff.reset()
        isLost = false
        stop = nil
    }

    /// A sign of life came. From a server that is being stopped it may be the last one, and proves nothing for a while.
    ///
    /// - Returns: whether it is the first after losses that were told.
    mutating func isResumed() -> Bool {
        if let stop, ContinuousClock.now - stop.at <= client.retries.patience { return false }
        defer { progress() }
        return isLost
    }

    /// - Returns: nil for a connection that was merely silent: a job that is followed may say nothing for hours.
    /// - Throws: when it is time to give up.
    mutating func lost(_ error: any Error) throws -> MagsError? {
        if follows, let error = error as? HTTPClientError, error == .readTimeout { return nil }
        let failure = try client.transport.failure(of: error)
        if failure.error.code == "server_stopped", stop == nil { stop = (failure.error, .now) }
        let patience = follows && stop == nil ? client.retries.followPatience : client.retries.patience
        guard failure.error.isRetryable,
            let delay = backoff.delay(patience: patience, wish: failure.wish)
        else {
            // What is final says more than that the server was on its way down.
            throw failure.error.isRetryable ? stop?.error ?? failure.error : failure.error
        }
        self.delay = delay
        isLost = true
        return failure.error
    }
}
