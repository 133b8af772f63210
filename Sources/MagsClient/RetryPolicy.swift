/// How long the SDK goes on trying, and how often.
///
/// A call that only asks is repeated on every failure that may pass. A submission is repeated only when the server
/// cannot have accepted it: no connection came about, or it answered 429 or 503.
public struct RetryPolicy: Sendable {
    /// Total time for a call that finds no connection or a restarting server.
    public var patience: Duration
    /// Total time without one sign of life for following a job's output, and for a server that asks to wait.
    public var followPatience: Duration
    public var firstDelay: Duration
    public var longestDelay: Duration

    public init(
        patience: Duration = .seconds(2), followPatience: Duration = .seconds(60),
        firstDelay: Duration = .milliseconds(50), longestDelay: Duration = .seconds(2)
    ) {
        self.patience = patience
        self.followPatience = followPatience
        self.firstDelay = firstDelay
        self.longestDelay = longestDelay
    }

    /// Every call is made once.
    public static let never = RetryPolicy(patience: .zero, followPatience: .zero)
}

/// The waits between the attempts at one thing: doubling, and over when the patience is.
struct Backoff {
    private let policy: RetryPolicy
    private var failingSince: ContinuousClock.Instant?
    private var nextDelay: Duration

    init(_ policy: RetryPolicy) {
        self.policy = policy
        nextDelay = policy.firstDelay
    }

    /// Something went well: the next failure is the first again.
    mutating func reset() {
        failingSince = nil
        nextDelay = policy.firstDelay
    }

    /// - Parameter wish: the server's own wish (`Retry-After`), which is followed as long as the patience allows it.
    /// - Returns: how long to wait before the next attempt, or nil when it is time to give up.
    mutating func delay(
        patience: Duration, wish: Duration? = nil, now: ContinuousClock.Instant = .now
    ) -> Duration? {
        let since = failingSince ?? now
        failingSince = since
        let delay = max(nextDelay, wish ?? .zero)
        guard now - since + delay <= patience else { return nil }
        nextDelay = min(nextDelay * 2, policy.longestDelay)
        return delay
    }
}
