import CGuest

/// A file that stays open, for what must not wait until it has been found and opened.
final class OpenFile {
    let descriptor: Int32
    private let path: String

    init(_ path: String, _ flags: Int32) throws(Failure) {
        self.path = path
        descriptor = try Descriptors.open(path, flags)
    }

    deinit { close(descriptor) }

    /// Writes over the file's first bytes.
    func overwrite(_ bytes: [UInt8]) throws(Failure) {
        let count = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        guard count == bytes.count else {
            throw Failure(step: "write \(path)", errno: count < 0 ? guest_errno() : EIO)
        }
    }
}
