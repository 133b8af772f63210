internal import Glibc

/// A log that several processes hold open and append to, kept from growing for ever. It is emptied rather than replaced,
/// since they would go on writing to the old one; what it had goes to `PATH.1`, in place of what was there, or nowhere when
/// there is no room for it. A line that is written in that moment may be lost.
package struct GrowingLog: Sendable {
    typealias Copy = @Sendable (_ source: FileDescriptor, _ target: FileDescriptor) throws(HostError) -> Void

    private let path: String
    private let maximumBytes: Int
    private let copy: Copy

    package init(path: String, maximumBytes: Int = 64 << 20) {
        self.init(path: path, maximumBytes: maximumBytes, copy: GrowingLog.copyAll)
    }

    init(path: String, maximumBytes: Int, copy: @escaping Copy) {
        self.path = path
        self.maximumBytes = maximumBytes
        self.copy = copy
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
        let loss = keep(mode: open.st_mode & 0o777)
        guard ftruncate(number, 0) == 0 else {
            let error = HostError(errno: errno, "\(path) could not be emptied")
            unlink(newer)
            throw error
        }
        if let loss {
            let words = "What this log had is gone, for it had grown too long and could not be kept: \(loss)\n"
            _ = words.withCString { write(number, $0, strlen($0)) }
        } else if rename(newer, older) != 0 {
            throw HostError(errno: errno, "\(newer) could not be renamed")
        }
        return true
    }

    private var newer: String { path + ".new" }
    private var older: String { path + ".1" }

    /// Copies the log. On a full disk the older one makes room; when that is not enough, it is better to have none than one
    /// that takes the last of the disk.
    /// - Returns: why there is no copy.
    private func keep(mode: UInt32) -> HostError? {
        do { try attempt(mode: mode) } catch {
            unlink(older)
            do { try attempt(mode: mode) } catch { return error }
        }
        return nil
    }

    private func attempt(mode: UInt32) throws(HostError) {
        unlink(newer)
        let source = try FileDescriptor.open(path, O_RDONLY | O_NOFOLLOW)
        let target = try FileDescriptor.open(newer, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
        do { try copy(source, target) } catch {
            unlink(newer)
            throw error
        }
    }

    private static let copyAll: Copy = { (source, target) throws(HostError) in
        while true {
            let count = sendfile(target.rawValue, source.rawValue, nil, 1 << 20)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw HostError(errno: errno, "it could not be copied") }
            if count == 0 { return }
        }
    }
}
