import Foundation
import GuestWire
import HostSystem
import Machines
import MagsModel
import NodeWire
import Synchronization

/// Carries a job's files into its machine before the script starts, a few pieces ahead of the guest's answers.
actor Uploader {
    private static let piece = 24 * 1024
    private static let piecesAhead = 16

    private let folder: UploadFolder
    private let clock: JobClock
    private let limit: Double
    private let send: @Sendable (Frame) -> Void
    private let replies: AsyncStream<Reply>
    private let continuation: AsyncStream<Reply>.Continuation

    /// For the reading of files.
    private let executor = QueueExecutor("mags.uploader")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameter limit: seconds that the machine may take for one piece.
    init(
        from folder: UploadFolder, clock: JobClock, limit: Double = 60, send: @escaping @Sendable (Frame) -> Void
    ) {
        self.folder = folder
        self.clock = clock
        self.limit = limit
        self.send = send
        (replies, continuation) = AsyncStream.makeStream()
    }

    /// What the machine says while files are carried; the job's own handler takes over afterwards.
    nonisolated func handle(_ event: GuestEvent) {
        switch event {
        case .frame(let frame, _): if let reply = try? Reply(frame) { continuation.yield(reply) }
        case .caughtUp: break
        case .lost: continuation.finish()
        }
    }

    /// - Throws: `Problem` when a file cannot be read or the machine refuses it.
    func carry(_ uploads: [JobAssignment.Upload]) async throws {
        var answers = replies.makeAsyncIterator()
        var outstanding = 0
        for upload in uploads {
            let file = try folder.open(upload)
            let size = try file.seekToEnd()
            try file.seek(toOffset: 0)
            var offset: UInt64 = 0
            repeat {
                let data = try file.read(upToCount: Uploader.piece) ?? Data()
                let isLast = offset + UInt64(data.count) >= size || data.isEmpty
                if outstanding >= Uploader.piecesAhead { try await take(&outstanding, &answers) }
                send(
                    FilePiece(
                        request: 1, path: "/uploads/\(upload.name)", offset: offset, isLast: isLast, data: Array(data),
                        link: "/root/\(upload.name)"
                    ).frame())
                outstanding += 1
                offset += UInt64(data.count)
                if isLast { break }
            } while true
        }
        while outstanding > 0 { try await take(&outstanding, &answers) }
    }

    private func take(_ outstanding: inout Int, _ answers: inout AsyncStream<Reply>.Iterator) async throws {
        // Also ends the wait for a machine that says nothing.
        let deadline = clock.after(seconds: limit) { [continuation] in continuation.finish() }
        defer { deadline.cancel() }
        guard let reply = await answers.next(isolation: self) else {
            throw Problem(
                502, "machine_lost",
                "The machine ended, or said nothing any more, while files were copied into it. Run the job again.")
        }
        outstanding -= 1
        guard reply.errno == 0 else {
            let reason = String(cString: strerror(Int32(truncatingIfNeeded: reply.errno)))
            throw Problem(507, "upload_not_copied", "A file could not be written into the machine: \(reason).")
        }
    }
}
