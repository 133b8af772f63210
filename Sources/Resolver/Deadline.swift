/// A moment on the monotonic clock.
struct Deadline: Sendable {
    private let moment: ContinuousClock.Instant

    init(milliseconds: Int) { moment = .now + .milliseconds(milliseconds) }

    /// Left until then, 0 when it has passed.
    var milliseconds: Int {
        let (seconds, attoseconds) = (moment - .now).components
        return max(0, Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000))
    }

    var hasPassed: Bool { ContinuousClock.now >= moment }
}
