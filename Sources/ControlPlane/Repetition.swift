/// When the node is asked for everything again because its reports could not be stored: after pauses that grow while the
/// store goes on failing, as a full disk does until somebody frees some of it.
struct Repetition: Sendable {
    static let longestPauseSeconds = 30

    /// Since the last time that the node was asked.
    var hasFailed = false
    var pauseSeconds = 1
    /// One is remembered, however many failures there were.
    let wanted = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// Everything that the node said was taken, or some of it failed again.
    mutating func inventoryEnded() {
        if hasFailed { wanted.continuation.yield() } else { pauseSeconds = 1 }
    }
}
