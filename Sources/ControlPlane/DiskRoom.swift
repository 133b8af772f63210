import Foundation
import MagsModel
import Store

/// Whether the server's disk still takes what callers send. Some room is kept back, so that what the server must note
/// about jobs that run can always be noted.
package struct DiskRoom: Sendable {
    package struct Measure: Sendable {
        package var freeBytes: UInt64
        package var totalBytes: UInt64

        package init(freeBytes: UInt64, totalBytes: UInt64) {
            self.freeBytes = freeBytes
            self.totalBytes = totalBytes
        }
    }

    /// The file system's, as an unprivileged user sees it; nil when it cannot be asked.
    package typealias Gauge = @Sendable (_ folder: String) -> Measure?

    private static let queue = BlockingQueue("mags.disk-room")
    let folder: String
    let gauge: Gauge

    /// - Throws: `Problem.diskFull` when less than 5 % or 1 GiB, whichever is smaller, is free.
    func check() async throws {
        let measure = try await DiskRoom.queue.run { [gauge, folder] in gauge(folder) }
        guard let measure, measure.freeBytes < min(measure.totalBytes / 20, 1 << 30) else { return }
        throw Problem.diskFull
    }

    package static let system: Gauge = { folder in
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { return nil }
        let unit = UInt64(status.f_frsize)
        return Measure(freeBytes: UInt64(status.f_bavail) * unit, totalBytes: UInt64(status.f_blocks) * unit)
    }
}
