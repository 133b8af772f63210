internal import Glibc

/// A log that several processes hold open and append to, kept from growing for ever. It is emptied rather than replaced,
/// since they would go on writing to the old one; what it had goes to `PATH.1`, in place of what was there. A line that
/// is written in that moment may be lost.
package struct GrowingLog: Sendable {
    private let path: String
    private let maximumBytes: Int

    package init(path: String, maximumBytes: Int = 64 << 20) {
        self.path = path
        self.maximumBytes = maximumBytes
    }

    /// Empties the log when it is too long and a descriptor of this process appends to it. Blocks while it is copied.
    /// - Returns: false when there was nothing to do.
    @discardableResult
    package func trim(openAs number: Int32) throws(HostError) -> Bool {
        var (open, named) = (stat(), stat())
        // Of a file that is written elsewhere than at its end a hole would be left.
        guard fstat(number, &open) == 0, open.st_mode & S_IFMT == S_IFREG, open.st_size > maximumBytes,
            fcntl(number, F_GETFL) & O_APPEND != 0, lstat(path, &named) == 0,
            (open.st_dev, open.st_ino) == (named.st_dev, named.st_ino)
        else { return false }
        let copy = path + ".new"
        unlink(copy)
        do throws(HostError) {
            let source = try FileDescriptor.open(path, O_RDONLY | O_NOFOLLOW)
            let target = try FileDescriptor.open(
                copy, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: open.st_mode & 0o777)
            while true {
                let count = sendfile(target.rawValue, source.rawValue, nil, 1 << 20)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw HostError(errno: errno, "\(path) could not be copied") }
                if count == 0 { break }
            }
            guard ftruncate(number, 0) == 0 else { throw HostError(errno: errno, "\(path) could not be emptied") }
            guard rename(copy, path + ".1") == 0 else { throw HostError(errno: errno, "\(copy) could not be renamed") }
        } catch {
            unlink(copy)
            throw error
        }
        return true
    }
}
