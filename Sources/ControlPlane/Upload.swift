import Foundation
import MagsModel
package import NIOCore
import Store

/// An upload while it is received. Its file carries `.part` until it is whole, and goes away when that never happens.
package actor Upload {
    package nonisolated let id: String
    package nonisolated let name: String
    nonisolated let owner: Owner
    nonisolated let path: String
    private let maximumBytes: Int
    private let room: DiskRoom
    /// Of the uploads at once; kept until this one is whole or given up.
    private var place: UploadPlaces.Place?
    private let clock: WallClock
    private let begunAt: Int64
    /// What an upload must bring on the average, for others wait for its place.
    private static let bytesPerSecond: Int64 = 64 * 1024
    /// How long that does not count.
    private static let graceSeconds: Int64 = 60
    /// At which size the disk's room is looked at again.
    private var nextCheck: Int64 = 0
    /// All uploads together overrun the room that is kept back by this much each at most.
    private static let checkedBytes: Int64 = 1 << 20
    private let queue = BlockingQueue("mags.upload")
    private var descriptor: Int32?
    private var size: Int64 = 0
    private var isWhole = false

    init(
        id: String, name: String, owner: Owner, path: String, maximumBytes: Int, room: DiskRoom,
        place: UploadPlaces.Place, clock: WallClock
    ) {
        self.id = id
        self.name = name
        self.owner = owner
        self.path = path
        self.maximumBytes = maximumBytes
        self.room = room
        self.place = place
        self.clock = clock
        begunAt = clock.now()
    }

    /// Asked for whatever comes over its connection: what is no part of the file holds the place too.
    /// - Throws: when the upload is too slow to keep its place.
    package func checkPace() throws {
        let seconds = (clock.now() - begunAt) / 1_000_000 - Upload.graceSeconds
        guard seconds > 0, size / seconds < Upload.bytesPerSecond else { return }
        throw Problem(
            408, "upload_too_slow", "An upload must bring \(Upload.bytesPerSecond >> 10) KiB a second on the average.",
            hint: "Upload it over a faster connection, or in smaller parts.")
    }

    /// Returns when the bytes are in the file. One call at a time.
    package func write(_ bytes: ByteBuffer) async throws {
        guard size + Int64(bytes.readableBytes) <= Int64(maximumBytes) else {
            throw Problem(413, "upload_too_large", "An upload has at most \(maximumBytes >> 20) MiB.")
        }
        if size >= nextCheck {
            try await room.check()
            nextCheck = size + Upload.checkedBytes
        }
        let descriptor = try await opened()
        try await queue.run {
            try bytes.withUnsafeReadableBytes { bytes in
                var start = 0
                while start < bytes.count {
                    let count = Foundation.write(
                        descriptor, bytes.baseAddress?.advanced(by: start), bytes.count - start)
                    if count < 0, errno == EINTR { continue }
                    guard count > 0 else { throw Upload.problem(errno) }
                    start += count
                }
            }
        }
        size += Int64(bytes.readableBytes)
    }

    /// Gives the file its final name.
    /// - Returns: its size.
    func close() async throws -> Int64 {
        let descriptor = try await opened()
        let path = path
        try await queue.run {
            guard rename(path + ".part", path) == 0 else { throw Upload.problem(errno) }
            Foundation.close(descriptor)
        }
        self.descriptor = nil
        isWhole = true
        place = nil
        return size
    }

    /// Drops what was received. No effect on a whole upload.
    package func abandon() async {
        defer { place = nil }
        guard !isWhole, let descriptor else { return }
        self.descriptor = nil
        let path = path
        try? await queue.run {
            Foundation.close(descriptor)
            unlink(path + ".part")
        }
    }

    private func opened() async throws -> Int32 {
        if let descriptor { return descriptor }
        let path = path
        let opened = try await queue.run {
            let descriptor = open(path + ".part", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw Upload.problem(errno) }
            return descriptor
        }
        descriptor = opened
        return opened
    }

    private static func problem(_ number: Int32) -> any Error {
        guard number == ENOSPC || number == EDQUOT else { return SystemError("an upload failed", number: number) }
        return Problem.diskFull
    }
}
