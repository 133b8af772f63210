/// Where the time of one thing went: named moments, each with the milliseconds since the one before.
package struct Signposts: Sendable {
    private let start: ContinuousClock.Instant
    private var last: ContinuousClock.Instant
    private(set) var steps: [(name: String, milliseconds: Double)] = []

    package init() {
        start = .now
        last = start
    }

    package mutating func passed(_ name: String) {
        let now = ContinuousClock.now
        steps.append((name, Signposts.milliseconds(now - last)))
        last = now
    }

    var total: Double { Signposts.milliseconds(last - start) }

    package var text: String {
        let parts = steps.map { "\($0.name) \(Signposts.rounded($0.milliseconds))" }
        return parts.joined(separator: ", ") + ", total \(Signposts.rounded(total)) ms"
    }

    private static func milliseconds(_ duration: Duration) -> Double { duration / .milliseconds(1) }

    private static func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }
}
