import CGuest
import GuestWire

/// Puts files of the host's into the machine. A file is complete under its name or not there.
enum Files {
    static func receive(_ piece: FilePiece) throws(Failure) {
        let (folder, name) = try split(piece.path)
        if !piece.link.isEmpty { _ = try split(piece.link) }
        let part = "\(folder)/.part-\(digest(name))"
        if piece.offset == 0 {
            Descriptors.makeFolders(folder)
            unlink(part)
        }
        let flags = O_WRONLY | O_NOFOLLOW | (piece.offset == 0 ? O_CREAT | O_EXCL : 0)
        let descriptor = try Descriptors.open(part, flags, mode: 0o600)
        defer { close(descriptor) }
        guard lseek(descriptor, 0, SEEK_END) == off_t(truncatingIfNeeded: piece.offset) else {
            throw Failure(step: "a piece of \(piece.path) is missing", errno: EINVAL)
        }
        do throws(Failure) {
            try Descriptors.writeAll(descriptor, piece.data, "write \(piece.path)")
            guard piece.isLast else { return }
            try Descriptors.check(fchmod(descriptor, mode_t(piece.mode & 0o7777)), "set the mode of \(piece.path)")
            try Descriptors.check(rename(part, piece.path), "name \(piece.path)")
        } catch {
            unlink(part)
            throw error
        }
        guard !piece.link.isEmpty else { return }
        if symlink(piece.path, piece.link) != 0, guest_errno() != EEXIST {
            throw Failure(step: "link \(piece.link)", errno: guest_errno())
        }
    }

    /// The folder and the last name of an absolute path without steps upwards.
    private static func split(_ path: String) throws(Failure) -> (folder: String, name: String) {
        let bytes = path.utf8
        let names = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: true)
        let isAllowed =
            bytes.first == UInt8(ascii: "/") && bytes.last != UInt8(ascii: "/") && !bytes.contains(0)
            && bytes.count < Int(PATH_MAX)
            && !names.contains { $0.elementsEqual("..".utf8) || $0.elementsEqual(".".utf8) }
        guard isAllowed, let last = bytes.lastIndex(of: UInt8(ascii: "/")) else {
            throw Failure(step: "'\(path)' is no absolute path of a file", errno: EINVAL)
        }
        return (String(path[..<last]), String(path[path.utf8.index(after: last)...]))
    }

    /// Short enough to be part of any name (FNV-1a).
    private static func digest(_ name: String) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return String(hash, radix: 16)
    }
}
