internal import Synchronization

/// Addresses that the host told a moment ago, for all machines. Small and short-lived: the host has a cache of its own.
final class AnswerCache: Sendable {
    private struct Entry {
        var result: HostLookup.Result
        var expiry: ContinuousClock.Instant
    }

    static let capacity = 2048
    private static let life = Duration.seconds(30)
    private static let negativeLife = Duration.seconds(5)

    private let entries = Mutex<[[UInt8]: Entry]>([:])

    /// With the seconds that it is good for still, 1 at least.
    func result(for key: [UInt8]) -> (result: HostLookup.Result, ttl: UInt32)? {
        entries.withLock { entries in
            guard let entry = entries[key] else { return nil }
            let left = entry.expiry - .now
            guard left > .zero else {
                entries[key] = nil
                return nil
            }
            return (entry.result, UInt32(max(left.components.seconds, 1)))
        }
    }

    /// A failure is not kept: the next question may do better.
    func keep(_ result: HostLookup.Result, for key: [UInt8]) {
        let life: Duration
        switch result {
        case .failed: return
        case .noSuchName: life = Self.negativeLife
        case .addresses(let list): life = list.isEmpty ? Self.negativeLife : Self.life
        }
        entries.withLock { entries in
            // A guest that asks for countless names empties it for everyone, which costs a look-up each and no more.
            if entries.count >= Self.capacity { entries = [:] }
            entries[key] = Entry(result: result, expiry: .now + life)
        }
    }

    var count: Int { entries.withLock { $0.count } }
}
