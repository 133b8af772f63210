internal import Synchronization

/// How much may be under way at once, in all and for one machine. A machine's second and later ones use the first half of
/// all places only, and the fewer the more of that half is taken: however many machines flood, each that has nothing under
/// way finds a place in the other half.
final class Gate: Sendable {
    private let most: Int
    private let mostForOne: Int
    private let state = Mutex<[UInt32: Int]>([:])

    init(most: Int, mostForOne: Int) {
        self.most = most
        self.mostForOne = mostForOne
    }

    /// Whether one more from `source` may begin; then `leave` must follow.
    func enter(_ source: UInt32) -> Bool {
        state.withLock { counts in
            let own = counts[source, default: 0]
            let all = counts.values.reduce(0, +)
            guard all < most, own == 0 || own < share(whenTaken: all) else { return false }
            counts[source, default: 0] += 1
            return true
        }
    }

    /// From `mostForOne` when nothing is under way down to none at half of `most`.
    private func share(whenTaken taken: Int) -> Int {
        let half = max(1, most / 2)
        return (mostForOne * max(0, half - taken) + half - 1) / half
    }

    func leave(_ source: UInt32) {
        state.withLock { counts in
            let left = counts[source, default: 1] - 1
            counts[source] = left > 0 ? left : nil
        }
    }
}
