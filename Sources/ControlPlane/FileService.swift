import Foundation
import MagsModel
import NIOCore
import NodeWire
package import Store

/// Uploaded files: received to disk piece by piece, named by an id, kept until a day after their last use.
package struct FileService: Sendable {
    package static let keptSeconds: Int64 = 24 * 3600

    private let store: any UploadStore
    private let folder: String
    private let clock: WallClock
    private let maximumBytes: Int
    private let room: DiskRoom
    private let places = UploadPlaces()
    private static let queue = BlockingQueue("mags.files")
    /// What lay there before this process received anything.
    private let foundFiles: [String]

    /// Makes the folder, and removes what a crash left half received.
    package init(
        store: any UploadStore, folder: String, clock: WallClock = .system, maximumBytes: Int = Limits.uploadBytes,
        gauge: @escaping DiskRoom.Gauge = DiskRoom.system
    ) throws {
        self.store = store
        self.folder = folder
        self.clock = clock
        self.maximumBytes = maximumBytes
        room = DiskRoom(folder: folder, gauge: gauge)
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let found = try FileManager.default.contentsOfDirectory(atPath: folder)
        for name in found where name.hasSuffix(".part") { unlink("\(folder)/\(name)") }
        foundFiles = found.filter { $0.hasPrefix("file-") && !$0.hasSuffix(".part") }
    }

    /// Begins an upload; the bytes go into `Upload.write`, and it exists from `finish` on.
    ///
    /// - Parameter holder: whose share of the uploads at once this takes: a token's id.
    package func begin(name: String, owner: Owner, holder: String = "") throws -> Upload {
        let name = try FileService.checkedName(name)
        let id = "file-" + TokenService.hexadecimal((0..<12).map { _ in UInt8.random(in: 0...255) })
        return Upload(
            id: id, name: name, owner: owner, path: "\(folder)/\(id)", maximumBytes: maximumBytes, room: room,
            place: try places.take(holder), clock: clock)
    }

    /// Removes what a crash left without an entry in the store: whole files that nobody was told of.
    func removeOrphans() async throws {
        guard !foundFiles.isEmpty else { return }
        let known = try await store.uploadIDs()
        try await remove(foundFiles.filter { !known.contains($0) })
    }

    private func remove(_ names: [String]) async throws {
        try await FileService.queue.run { [folder] in for name in names { unlink("\(folder)/\(name)") } }
    }

    /// Keeps a whole upload.
    package func finish(_ upload: Upload) async throws -> UploadRecord {
        let size = try await upload.close()
        let now = clock.now()
        let record = UploadRecord(
            id: upload.id, owner: upload.owner, name: upload.name, size: size, createdAt: now, lastUsedAt: now)
        do {
            try await store.insert(record)
        } catch {
            try? await remove([upload.id])
            throw error
        }
        return record
    }

    /// Where the named uploads lie. Using them keeps them for another day.
    func use(_ ids: [String], owner: Owner) async throws -> [JobAssignment.Upload] {
        guard !ids.isEmpty else { return [] }
        let records = try await store.useUploads(ids, of: owner, at: clock.now())
        if let missing = ids.first(where: { id in !records.contains { $0.id == id } }) {
            throw Problem(
                400, "unknown_file", "file_ids names '\(missing.prefix(64))', which was not found.",
                hint: "An upload is kept for 24 hours after its last use; upload it again.")
        }
        var names: Set<String> = []
        for record in records where !names.insert(record.name).inserted {
            throw Problem.invalid("file_ids", "names two files that are both called '\(record.name)'.")
        }
        return records.map { JobAssignment.Upload(source: "\(folder)/\($0.id)", name: $0.name) }
    }

    /// Removes what nobody used for a day.
    func sweep() async throws {
        try await remove(
            store.deleteUploads(unusedSince: clock.now() - FileService.keptSeconds * 1_000_000))
    }

    /// The last part of the name that the client gave.
    static func checkedName(_ text: String) throws(Problem) -> String {
        // By its bytes: with a combining mark behind it a slash is part of another character, but still a slash.
        let parts = text.utf8.split { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }
        let name = parts.last.map { String(decoding: $0, as: UTF8.self) } ?? ""
        guard !name.isEmpty, name != ".", name != "..", name.utf8.count <= 255,
            name.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else {
            throw Problem.invalid("file", "needs a file name of 1 to 255 bytes without control characters.")
        }
        return name
    }
}
