import Foundation
import MagsModel

/// Where the wire of a machine with several scripts stands: the file `wire` in its owner's folder. Everything of the
/// guest's up to the position was handled and kept. Blocks for a moment.
struct WirePosition: Sendable {
    private let file: FileHandle

    static func path(in folder: String) -> String { folder + "/wire" }

    /// There whole or not at all.
    static func make(in folder: String, _ position: UInt64, lastStream: UInt16) throws -> WirePosition {
        let new = path(in: folder) + ".new"
        let made = WirePosition(file: try open(new, O_CREAT | O_TRUNC))
        try made.write(position: position)
        try made.write(lastStream: lastStream)
        guard rename(new, path(in: folder)) == 0 else { throw problem }
        return made
    }

    /// - Returns: nil when there is none: only one script has been there.
    static func open(in folder: String) throws -> (WirePosition, lastStream: UInt16)? {
        guard access(path(in: folder), F_OK) == 0 else { return nil }
        let found = WirePosition(file: try open(path(in: folder), 0))
        return (found, UInt16(truncatingIfNeeded: try found.words()[1]))
    }

    static func read(in folder: String) throws -> UInt64? { try open(in: folder)?.0.words()[0] }

    func write(position: UInt64) throws { try write(position, at: 0) }

    func write(lastStream: UInt16) throws { try write(UInt64(lastStream), at: 8) }

    private static func open(_ path: String, _ flags: Int32) throws -> FileHandle {
        let descriptor = Glibc.open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0o600)
        guard descriptor >= 0 else { throw problem }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    private func words() throws -> [UInt64] {
        var words: [UInt64] = [0, 0]
        let count = words.withUnsafeMutableBytes { pread(file.fileDescriptor, $0.baseAddress, $0.count, 0) }
        guard count == 16 else { throw WirePosition.problem }
        return words.map(UInt64.init(littleEndian:))
    }

    private func write(_ word: UInt64, at offset: off_t) throws {
        let count = withUnsafeBytes(of: word.littleEndian) {
            pwrite(file.fileDescriptor, $0.baseAddress, $0.count, offset)
        }
        guard count == 8 else { throw WirePosition.problem }
    }

    private static var problem: Problem {
        let text = String(cString: strerror(errno))
        return Problem(507, "output_not_kept", "Where the machine's wire stands could not be kept: \(text).")
    }
}
