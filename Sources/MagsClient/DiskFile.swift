#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A file of the caller's, by plain system calls: they block, so callers use `Blocking`.
package struct DiskFile: ~Copyable {
    package let descriptor: Int32
    package let path: String

    /// Opens for reading.
    package init(reading path: String) throws(MagsError) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        self.path = path
        guard descriptor >= 0 else { throw DiskFile.unreadable(path) }
    }

    deinit { if descriptor >= 0 { _ = close(descriptor) } }

    /// - Throws: `file_unreadable` unless it is a regular file.
    package func size() throws(MagsError) -> Int {
        var entry = stat()
        guard fstat(descriptor, &entry) == 0 else { throw DiskFile.unreadable(path) }
        guard entry.st_mode & S_IFMT == S_IFREG else {
            throw MagsError("file_unreadable", "\(path) is not a regular file")
        }
        return Int(entry.st_size)
    }

    /// - Returns: at most `count` bytes; fewer only at the end.
    package func bytes(upTo count: Int) throws(MagsError) -> [UInt8] {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            guard let base = buffer.baseAddress else { return }
            while filled < count {
                let got = read(descriptor, base + filled, count - filled)
                if got > 0 {
                    filled += got
                } else if got == 0 {
                    return
                } else if errno != EINTR {
                    failure = errno
                    return
                }
            }
        }
        guard failure == 0 else { throw DiskFile.unreadable(path, failure) }
        return bytes
    }

    /// Puts a file of exactly these bytes at `path` in one step: a reader sees the old file or the new one.
    ///
    /// The folder is made (0700) when it is missing. A symbolic link at `path` is followed, not replaced.
    package static func replace(_ path: String, with bytes: [UInt8], mode: UInt32) throws(MagsError) {
        let path = target(of: path)
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        if !folder.isEmpty, mkdir(folder, 0o700) != 0, errno != EEXIST { throw unwritable(path) }
        let draft = "\(path).\(getpid())"
        _ = unlink(draft)
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode_t(mode))
        guard descriptor >= 0 else { throw unwritable(path) }
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            written += count
        }
        let isSafe = written == bytes.count && fsync(descriptor) == 0
        let failure = errno
        _ = close(descriptor)
        guard isSafe else {
            _ = unlink(draft)
            throw unwritable(path, failure)
        }
        guard rename(draft, path) == 0 else {
            let failure = errno
            _ = unlink(draft)
            throw unwritable(path, failure)
        }
    }

    private static func target(of path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    /// The permission bits, or nil when there is no such file.
    package static func mode(of path: String) -> UInt32? {
        var entry = stat()
        return stat(path, &entry) == 0 ? UInt32(entry.st_mode & 0o7777) : nil
    }

    /// True for a regular file, and for what can be read like one: a pipe, as shells make for `<(…)`.
    package static func isReadable(_ path: String) -> Bool {
        var entry = stat()
        guard stat(path, &entry) == 0 else { return false }
        return [S_IFREG, S_IFIFO].contains(entry.st_mode & S_IFMT)
    }

    private static func unreadable(_ path: String, _ code: Int32 = errno) -> MagsError {
        MagsError("file_unreadable", "cannot read \(path): \(errorText(code))")
    }

    private static func unwritable(_ path: String, _ code: Int32 = errno) -> MagsError {
        MagsError("file_unwritable", "cannot write \(path): \(errorText(code))")
    }
}

/// What the system calls an error, for people.
package func errorText(_ code: Int32) -> String { String(cString: strerror(code)) }
