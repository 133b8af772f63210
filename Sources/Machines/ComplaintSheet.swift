import Glibc
import HostSystem

/// What a process writes to its standard error, up to a page: memory that cannot grow, so that a hostile one fills
/// nothing.
struct ComplaintSheet: Sendable {
    private static let size = 4096
    // Values of <linux/fcntl.h>, which does not reach Swift.
    private static let addSeals: CInt = 1033
    private static let sealShrinkAndGrow: CInt = 0x2 | 0x4

    let descriptor: FileDescriptor

    init() throws(HostError) {
        descriptor = try FileDescriptor.memfd(name: "errors", sealable: true)
        guard ftruncate(descriptor.rawValue, off_t(ComplaintSheet.size)) == 0,
            fcntl(descriptor.rawValue, ComplaintSheet.addSeals, ComplaintSheet.sealShrinkAndGrow) == 0
        else { throw HostError("host_refused", "Memory for a process's errors could not be made.") }
    }

    /// What was written so far, on one line of printable characters.
    var text: String {
        var bytes = [UInt8](repeating: 0, count: ComplaintSheet.size)
        let count = pread(descriptor.rawValue, &bytes, bytes.count, 0)
        let written = bytes.prefix(max(0, count)).prefix { $0 != 0 }
        let printable = written.map { (32..<127).contains($0) ? $0 : UInt8(ascii: " ") }
        return String(decoding: printable.prefix(400), as: UTF8.self)
            .split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }
}
