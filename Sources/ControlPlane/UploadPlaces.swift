import MagsModel
import Synchronization

/// The uploads that are received at once. Each may overrun the disk's room a little before it looks at it again, so their
/// number has a limit.
final class UploadPlaces: Sendable {
    static let maximum = 16
    /// One holder has at most a quarter of the places, so that none shuts out the others.
    static let share = maximum / 4

    /// How many each holder has.
    private let taken = Mutex<[String: Int]>([:])

    /// One upload's, for as long as it lives.
    final class Place: Sendable {
        private let places: UploadPlaces
        private let holder: String

        fileprivate init(_ places: UploadPlaces, _ holder: String) {
            self.places = places
            self.holder = holder
        }

        deinit {
            places.taken.withLock { taken in
                let left = (taken[holder] ?? 1) - 1
                taken[holder] = left > 0 ? left : nil
            }
        }
    }

    func take(_ holder: String) throws(Problem) -> Place {
        let refusal = taken.withLock { taken -> String? in
            if taken[holder, default: 0] >= UploadPlaces.share { return "\(UploadPlaces.share) uploads of this token" }
            if taken.values.reduce(0, +) >= UploadPlaces.maximum { return "\(UploadPlaces.maximum) uploads" }
            taken[holder, default: 0] += 1
            return nil
        }
        if let refusal {
            throw Problem(
                429, "too_many_uploads", "\(refusal) are being received already.",
                hint: "Try again when one of them is done.", isRetryable: true)
        }
        return Place(self, holder)
    }
}
