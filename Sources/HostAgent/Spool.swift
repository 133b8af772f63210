import CHost
import Foundation
import MagsModel
import NodeWire

/// Where the output of one job stands: enough to go on after the node's process was killed at any instruction.
package struct SpoolProgress: Equatable, Sendable {
    /// Bytes of the guest's frames that were handled, their content in the spool.
    package var received: UInt64 = 0
    /// Bytes of records in the spool.
    package var length: UInt64 = 0
    /// Bytes that each stream had, kept or not.
    package var stdoutCount: UInt64 = 0
    package var stderrCount: UInt64 = 0
    /// Bytes that were counted and not kept.
    package var dropped: UInt64 = 0
    /// What the log weighs against its limit.
    package var weight: UInt64 = 0
    /// Where the kept log ends and the window of an attached reader begins; 0 while the log is below its limit.
    package var logEnd: UInt64 = 0
    /// From here on the window's records are still there: where a record begins.
    package var windowStart: UInt64 = 0
    /// What the streams have at the window's start.
    package var windowStdout: UInt64 = 0
    package var windowStderr: UInt64 = 0
    /// The guest has said that the script runs.
    package var hasStarted = false

    static let wordCount = 11
    static let size = wordCount * 8
    /// Files of versions before the last three words.
    static let oldSize = 8 * 8

    fileprivate var words: [UInt64] {
        [
            received, length, stdoutCount, stderrCount, dropped, weight, logEnd, windowStart, windowStdout,
            windowStderr, hasStarted ? 1 : 0,
        ].map(\.littleEndian)
    }

    fileprivate init(words: [UInt64]) {
        let values = words.map { UInt64(littleEndian: $0) }
        (received, length, stdoutCount, stderrCount) = (values[0], values[1], values[2], values[3])
        (dropped, weight, logEnd, windowStart) = (values[4], values[5], values[6], values[7])
        (windowStdout, windowStderr) = (values[8], values[9])
        hasStarted = values[10] != 0
    }

    /// No file can be so long, and no guest can have sent so much: reckoning with it would overflow.
    fileprivate var isDamaged: Bool { words.contains { UInt64(littleEndian: $0) > UInt64(Int64.max) } }

    package init() {}
}

/// A job's output on disk: records one after another in `output`, and `progress`, which says how much of them counts.
///
/// `progress` is written after the records, in one write; whatever lies behind its length after a crash is cut off and
/// comes again from the guest. So every byte is there exactly once.
package final class Spool {
    private struct Files {
        let output: FileHandle
        let progress: FileHandle
    }

    /// With all that was appended.
    package private(set) var progress = SpoolProgress()
    /// What is on disk of it: this much counts, and can be read.
    package private(set) var kept = SpoolProgress()
    private var pending: [UInt8] = []
    /// Why nothing more can be kept: what was given up then must not be followed by anything.
    private var failure: (any Error)?
    package var hasFailed: Bool { failure != nil }
    private let folder: String
    /// Nil until there is something to keep: thousands of jobs may wait for a machine, and each would hold two.
    private var files: Files?

    /// Opens the files in `folder`, if they are there.
    package init(folder: String) throws {
        self.folder = folder
        guard access(folder + "/progress", F_OK) == 0 || errno != ENOENT else { return }
        let files = try made()
        var words = [UInt64](repeating: 0, count: SpoolProgress.wordCount)
        let got = words.withUnsafeMutableBytes {
            pread(files.progress.fileDescriptor, $0.baseAddress, SpoolProgress.size, 0)
        }
        progress = got >= SpoolProgress.oldSize ? SpoolProgress(words: words) : SpoolProgress()
        kept = progress
        guard !progress.isDamaged else {
            throw Problem(500, "output_damaged", "What the node kept of the job's output cannot be right.")
        }
        guard ftruncate(files.output.fileDescriptor, off_t(progress.length)) == 0 else { throw Spool.problem("cut") }
    }

    /// Makes the files, also when there is nothing to keep.
    package func make() throws { _ = try made() }

    private func made() throws -> Files {
        if let files { return files }
        // `progress` comes last: without it there is nothing.
        let made = Files(output: try Spool.open(folder + "/output"), progress: try Spool.open(folder + "/progress"))
        files = made
        return made
    }

    /// Appends records, and what that changes; `commit` keeps it.
    package func append(_ bytes: [UInt8], _ change: (inout SpoolProgress) -> Void) {
        guard failure == nil else { return }
        pending += bytes
        progress.length += UInt64(bytes.count)
        change(&progress)
    }

    /// Keeps all that was appended since the last time, or, when that fails, nothing of it and nothing ever after.
    package func commit() throws {
        if let failure { throw failure }
        guard progress != kept else { return }
        do {
            let files = try made()
            try write(pending, to: files.output, at: off_t(kept.length))
            let words = progress.words
            let count = words.withUnsafeBytes { pwrite(files.progress.fileDescriptor, $0.baseAddress, $0.count, 0) }
            guard count == SpoolProgress.size else { throw Spool.problem("write") }
        } catch {
            pending = []
            progress = kept
            failure = error
            throw error
        }
        kept = progress
        pending.removeAll(keepingCapacity: pending.count <= 256 * 1024)
    }

    private func write(_ bytes: [UInt8], to output: FileHandle, at offset: off_t) throws {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes {
                pwrite(output.fileDescriptor, $0.baseAddress, $0.count, offset + off_t(done))
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw Spool.problem("write")
            }
            done += count
        }
    }

    /// Up to `limit` bytes of the kept records from an offset on; empty at the end.
    package func read(from offset: UInt64, limit: Int) throws -> [UInt8] {
        guard offset < kept.length, let output = files?.output else { return [] }
        let wanted = min(limit, Int(kept.length - offset))
        return try [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
            let got = pread(output.fileDescriptor, buffer.baseAddress, wanted, off_t(offset))
            guard got >= 0 else { throw Spool.problem("read") }
            count = got
        }
    }

    /// Forgets the window up to `end`, where a record begins and the streams have these positions: gives its disk blocks
    /// back and says so in `progress`.
    package func releaseWindow(to end: UInt64, stdout: UInt64, stderr: UInt64) throws {
        let start = progress.windowStart
        guard end > start else { return }
        append([]) { ($0.windowStart, $0.windowStdout, $0.windowStderr) = (end, stdout, stderr) }
        try commit()
        let page: UInt64 = 4096
        let first = (start + page - 1) / page * page
        let last = end / page * page
        guard last > first, let output = files?.output else { return }
        // A file system that cannot do it keeps the blocks until the output is forgotten.
        _ = chost_punch_hole(output.fileDescriptor, Int64(first), Int64(last - first))
    }

    private static func open(_ path: String) throws -> FileHandle {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw problem("open") }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    private static func problem(_ step: String) -> Problem {
        let text = String(cString: strerror(errno))
        return Problem(507, "output_not_kept", "The job's output could not be kept: \(step): \(text).")
    }
}
