import Foundation

/// A terminal with a program on the far side of it.
final class Terminal: Sendable {
    private let near: Int32
    /// For the program; closed here when it runs.
    let far: FileHandle

    struct Failure: Error {}

    init() throws {
        var (near, far): (Int32, Int32) = (-1, -1)
        guard openpty(&near, &far, nil, nil, nil) == 0 else { throw Failure() }
        for descriptor in [near, far] { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        self.near = near
        self.far = FileHandle(fileDescriptor: far, closeOnDealloc: true)
    }

    deinit { close(near) }

    /// - Returns: what was shown up to this text, or to the end of the program when it never comes.
    func read(until text: String) async -> String {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { [near] in
                var shown: [UInt8] = []
                var piece = [UInt8](repeating: 0, count: 4096)
                while !String(decoding: shown, as: UTF8.self).contains(text) {
                    let count = Foundation.read(near, &piece, piece.count)
                    guard count > 0 else { break }
                    shown += piece.prefix(count)
                }
                continuation.resume(returning: String(decoding: shown, as: UTF8.self))
            }
        }
    }
}
