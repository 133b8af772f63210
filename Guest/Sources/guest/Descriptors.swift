import CGuest

/// Files by path and descriptor, with errors that name the step.
enum Descriptors {
    /// For a call that returns 0 or -1.
    static func check(_ result: Int32, _ step: String) throws(Failure) {
        guard result == 0 else { throw Failure(step: step, errno: guest_errno()) }
    }

    /// For a call that returns 0 or an errno.
    static func checkError(_ errno: Int32, _ step: String) throws(Failure) {
        guard errno == 0 else { throw Failure(step: step, errno: errno) }
    }

    static func open(_ path: String, _ flags: Int32, mode: mode_t = 0) throws(Failure) -> Int32 {
        let descriptor = guest_open(path, flags, mode)
        guard descriptor >= 0 else { throw Failure(step: "open \(path)", errno: guest_errno()) }
        return descriptor
    }

    static func pipe() throws(Failure) -> (reading: Int32, writing: Int32) {
        var ends: (Int32, Int32) = (-1, -1)
        let result = withUnsafeMutableBytes(of: &ends) {
            guest_pipe($0.baseAddress?.assumingMemoryBound(to: Int32.self))
        }
        try check(result, "make a pipe")
        return (ends.0, ends.1)
    }

    static func writeAll(_ descriptor: Int32, _ bytes: [UInt8], _ step: String) throws(Failure) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                write(descriptor, $0.baseAddress?.advanced(by: written), $0.count - written)
            }
            guard count > 0 else {
                if count < 0, guest_errno() == EINTR { continue }
                throw Failure(step: step, errno: count < 0 ? guest_errno() : EIO)
            }
            written += count
        }
    }

    /// Writes a file anew; what stood at its name before, a link included, is replaced or followed as `flags` say.
    static func writeFile(_ path: String, _ bytes: [UInt8], mode: mode_t, flags: Int32 = O_CREAT | O_TRUNC)
        throws(Failure)
    {
        let descriptor = try open(path, O_WRONLY | flags, mode: mode)
        defer { close(descriptor) }
        try writeAll(descriptor, bytes, "write \(path)")
    }

    static func writeFile(_ path: String, _ text: String, mode: mode_t = 0o644) throws(Failure) {
        try writeFile(path, Array(text.utf8), mode: mode)
    }

    /// The start of a file, for those of the kernel's that are short; empty when it cannot be read.
    static func readStart(_ path: String, limit: Int = 4096) -> [UInt8] {
        let descriptor = guest_open(path, O_RDONLY, 0)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: limit)
        var filled = 0
        while filled < limit {
            let count = bytes.withUnsafeMutableBytes {
                read(descriptor, $0.baseAddress?.advanced(by: filled), limit - filled)
            }
            guard count > 0 else { break }
            filled += count
        }
        bytes.removeLast(limit - filled)
        return bytes
    }

    static func isProgram(_ path: String) -> Bool {
        var state = stat()
        return stat(path, &state) == 0 && guest_is_file(state.st_mode) != 0 && access(path, X_OK) == 0
    }

    static func isFolder(_ path: String) -> Bool {
        var state = stat()
        return stat(path, &state) == 0 && guest_is_folder(state.st_mode) != 0
    }

    /// Makes a folder and those above it that are missing.
    static func makeFolders(_ path: String) {
        var end = path.utf8.startIndex
        let bytes = path.utf8
        while end < bytes.endIndex {
            end = bytes[bytes.index(after: end)...].firstIndex(of: UInt8(ascii: "/")) ?? bytes.endIndex
            mkdir(String(path[..<end]), 0o755)
        }
    }
}
