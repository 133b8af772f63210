internal import Glibc

/// Small files of the kernel's and the host's: read and written whole.
enum SystemFile {
    static let limit = 1 << 20

    static func text(_ path: String) throws(HostError) -> String {
        let file = try FileDescriptor.open(path, O_RDONLY)
        return try text(of: file, named: path)
    }

    /// From the file's beginning, wherever its offset stands; at most `limit` bytes.
    static func text(of file: FileDescriptor, named path: String) throws(HostError) -> String {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while bytes.count < limit {
            let count = pread(file.rawValue, &chunk, chunk.count, off_t(bytes.count))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw HostError(errno: errno, "\(path) could not be read") }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func write(_ text: String, to path: String) throws(HostError) {
        try write(text, to: FileDescriptor.open(path, O_WRONLY), named: path)
    }

    static func write(_ text: String, to file: FileDescriptor, named path: String) throws(HostError) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file.rawValue, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw HostError(errno: errno, "\(path) could not be written") }
            rest = rest.dropFirst(count)
        }
    }

    /// Names of the folders in a folder; none when it is not there.
    static func folders(in path: String) -> [String] {
        guard let listing = opendir(path) else { return [] }
        defer { closedir(listing) }
        var names: [String] = []
        while let entry = readdir(listing) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if entry.pointee.d_type == UInt8(DT_DIR), name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
