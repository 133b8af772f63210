import Glibc
import HostSystem
import Synchronization

/// The lock beside a template's folder, `<folder>.lock`.
enum FolderLock {
    /// Held until the descriptor is closed. Blocks when `waiting`; nil when it does not and another has the lock.
    static func take(_ folder: String, waiting: Bool) throws(HostError) -> FileDescriptor? {
        let path = folder + ".lock"
        while true {
            let file = try FileDescriptor.open(path, O_RDWR | O_CREAT)
            while flock(file.rawValue, waiting ? LOCK_EX : LOCK_EX | LOCK_NB) != 0 {
                if errno == EINTR { continue }
                if errno == EWOULDBLOCK { return nil }
                throw HostError("template_lock", "\(path) cannot be locked: \(String(cString: strerror(errno))).")
            }
            // The one that had it may have removed the file: a lock on what has no name keeps nobody out.
            var held = stat()
            var named = stat()
            if fstat(file.rawValue, &held) == 0, stat(path, &named) == 0, held.st_ino == named.st_ino { return file }
        }
    }
}

/// One wait of a thread of its own that its task gives up when it is cancelled. What the thread gets afterwards is let go.
final class AbandonableWait<Value: Sendable>: Sendable {
    private enum State {
        case idle
        case waiting(CheckedContinuation<Value, any Error>)
        case over
    }
    private let state = Mutex(State.idle)

    func value(_ wait: @escaping @Sendable () throws(HostError) -> Value) async throws -> Value {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isOver = state.withLock { state in
                    if case .over = state { return true }
                    state = .waiting(continuation)
                    return false
                }
                if isOver { return continuation.resume(throwing: CancellationError()) }
                // Nobody waits for this task: it only carries the thread's result.
                Task {
                    do throws(HostError) {
                        let value = try await SystemThread.perform(wait)
                        self.end(.success(value))
                    } catch {
                        self.end(.failure(error))
                    }
                }
            }
        } onCancel: {
            end(.failure(CancellationError()))
        }
    }

    private func end(_ result: Result<Value, any Error>) {
        let waiting = state.withLock { state -> CheckedContinuation<Value, any Error>? in
            defer { state = .over }
            if case .waiting(let continuation) = state { return continuation }
            return nil
        }
        waiting?.resume(with: result)
    }
}
