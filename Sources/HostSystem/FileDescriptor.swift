internal import CHost
internal import Glibc
internal import Synchronization

/// Owns one descriptor and closes it with its last reference. All that this module opens is close-on-exec.
package final class FileDescriptor: Sendable {
    private let number: Mutex<Int32>

    /// Takes over `rawValue`: nobody else may close it.
    package init(owning rawValue: Int32) { number = Mutex(rawValue) }

    deinit {
        let owned = number.withLock { $0 }
        if owned >= 0 { close(owned) }
    }

    /// -1 once taken.
    package var rawValue: Int32 { number.withLock { $0 } }

    /// Hands the descriptor over: the caller closes it, this object no longer does.
    package func take() -> Int32 {
        number.withLock { value in
            defer { value = -1 }
            return value
        }
    }

    package static func open(_ path: String, _ flags: Int32, mode: UInt32 = 0o600) throws(HostError) -> FileDescriptor {
        let opened = Glibc.open(path, flags | O_CLOEXEC, mode)
        guard opened >= 0 else { throw HostError(errno: errno, "\(path) could not be opened") }
        return FileDescriptor(owning: opened)
    }

    /// Memory behind a descriptor. `sealable` allows F_ADD_SEALS.
    package static func memfd(name: String, sealable: Bool = true) throws(HostError) -> FileDescriptor {
        let opened = chost_memfd(name, sealable ? 1 : 0)
        guard opened >= 0 else { throw HostError(errno: errno, "memory for \(name) could not be made") }
        return FileDescriptor(owning: opened)
    }

    /// From here on nobody, we included, can change what a sealable memfd holds.
    package func seal() throws(HostError) {
        guard chost_seal(rawValue) == 0 else { throw HostError(errno: errno, "memory could not be sealed") }
    }

    package static func pipe() throws(HostError) -> (read: FileDescriptor, write: FileDescriptor) {
        var ends: [Int32] = [-1, -1]
        guard chost_pipe(&ends) == 0 else { throw HostError(errno: errno, "a pipe could not be made") }
        return (FileDescriptor(owning: ends[0]), FileDescriptor(owning: ends[1]))
    }

    /// A connected pair of Unix stream sockets.
    package static func socketPair() throws(HostError) -> (FileDescriptor, FileDescriptor) {
        var ends: [Int32] = [-1, -1]
        guard chost_socketpair(&ends) == 0 else { throw HostError(errno: errno, "a socket pair could not be made") }
        return (FileDescriptor(owning: ends[0]), FileDescriptor(owning: ends[1]))
    }

    /// A copy of a descriptor that this process has anyway, standard error for example.
    package static func duplicate(of number: Int32) throws(HostError) -> FileDescriptor {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw HostError(errno: errno, "descriptor \(number) could not be copied") }
        return FileDescriptor(owning: copy)
    }
}
