/// What a signal means after those before it.
///
/// One wish to end may arrive as several signals: `timeout` sends its own to the process and then to its group, a
/// terminal to every process of the foreground. Only one that comes a while after the first is a second wish.
struct SignalBurst {
    enum Meaning: Equatable {
        case end
        /// Of the same wish as the first.
        case echo
        case leaveAtOnce
    }

    static let length = Duration.milliseconds(500)

    private var first: ContinuousClock.Instant?

    mutating func take(at now: ContinuousClock.Instant) -> Meaning {
        guard let first else {
            first = now
            return .end
        }
        return now - first < SignalBurst.length ? .echo : .leaveAtOnce
    }
}
