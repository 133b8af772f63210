import MagsModel
import Synchronization

/// The uploads that are received at once. Each may overrun the disk's room a little before it looks at it again, so their
/// number has a limit.
final class UploadPlaces: Sendable {
    static let maximum = 16

    private let taken = Mutex(0)

    /// One upload's, for as long as it lives.
    final class Place: Sendable {
        private let places: UploadPlaces

        fileprivate init(_ places: UploadPlaces) { self.places = places }

        deinit { places.taken.withLock { $0 -= 1 } }
    }

    func take() throws(Problem) -> Place {
        let isFree = taken.withLock { taken in
            guard taken < UploadPlaces.maximum else { return false }
            taken += 1
            return true
        }
        guard isFree else {
            throw Problem(
                429, "too_many_uploads", "\(UploadPlaces.maximum) uploads are being received already.",
                hint: "Try again when one of them is done.", isRetryable: true)
        }
        return Place(self)
    }
}
