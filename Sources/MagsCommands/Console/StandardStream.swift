import MagsClient
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Nobody reads a standard stream any more.
struct ClosedPipe: Error {}

/// Standard output or standard error. Each has a queue of its own, so that errors are said while nobody reads the output.
struct StandardStream: Sendable {
    static let output = StandardStream(descriptor: 1)
    static let error = StandardStream(descriptor: 2)
    private static let outputHasBegun = Atomic(false)

    let descriptor: Int32
    private let blocking = Blocking(label: "mags.console")

    private init(descriptor: Int32) { self.descriptor = descriptor }

    var isTerminal: Bool { isatty(descriptor) == 1 }

    /// Something was written, or is about to be.
    var hasBegun: Bool { descriptor == 1 && StandardStream.outputHasBegun.load(ordering: .relaxed) }

    /// Returns when the system has taken every byte; waits for a slow reader, unless its task is cancelled.
    ///
    /// - Throws: `CancellationError`, `ClosedPipe`, or `MagsError` when the stream cannot be written, as on a full disk.
    func write(_ bytes: [UInt8]) async throws {
        let descriptor = descriptor
        if descriptor == 1 { StandardStream.outputHasBegun.store(true, ordering: .relaxed) }
        let failure = try await blocking.runDetached { StandardStream.write(bytes, to: descriptor) }
        switch failure {
        case 0: return
        case EPIPE: throw ClosedPipe()
        default:
            let name = descriptor == 1 ? "standard output" : "standard error"
            throw MagsError("file_unwritable", "cannot write to \(name): \(errorText(failure))")
        }
    }

    func write(_ text: String) async throws { try await write(Array(text.utf8)) }

    /// For work that blocks already, off the threads of Swift's tasks. A failure shows at the next `write`.
    func writeBlocking(_ text: String) { _ = StandardStream.write(Array(text.utf8), to: descriptor) }

    /// - Returns: 0, or the system's error.
    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                #if canImport(Darwin)
                    let count = Darwin.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                #elseif canImport(Musl)
                    let count = Musl.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                #else
                    let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                #endif
                if count >= 0 {
                    rest = rest.dropFirst(count)
                } else if errno == EAGAIN {
                    // Somebody else made it non-blocking, as a shared terminal or pipe may be.
                    var readiness = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = poll(&readiness, 1, -1)
                } else if errno != EINTR {
                    return errno
                }
            }
            return 0
        }
    }
}
