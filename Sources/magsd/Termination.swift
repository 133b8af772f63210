import Foundation
import HostSystem
import Synchronization

/// SIGTERM and SIGINT, caught from `begin` on: first of all that a role does, since either would otherwise end the process
/// halfway through whatever it makes.
final class Termination: Sendable {
    private struct State {
        var isRequested = false
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
        var lastWaiter = 0
    }
    private let state = Mutex(State())

    private init() {}

    /// What the handler writes to and a thread reads from: a handler may do little more. For the life of the process.
    private static let pipe: (read: Int32, write: Int32)? = {
        guard let (read, write) = try? FileDescriptor.pipe() else { return nil }
        return (read.take(), write.take())
    }()

    /// A handler of our own, since a source of signals begins a moment after they were told to be ignored: one that comes
    /// in between is lost.
    static func begin() -> Termination {
        let termination = Termination()
        // Without a pipe the signals end the process, as they would have.
        guard let pipe else { return termination }
        for number in [SIGTERM, SIGINT] {
            signal(number) { _ in
                let before = errno
                var byte: UInt8 = 0
                if let pipe = Termination.pipe { _ = write(pipe.write, &byte, 1) }
                errno = before
            }
        }
        Thread.detachNewThread {
            var byte: UInt8 = 0
            // For ever: a pipe that is full would hold the handler up.
            while true { if read(pipe.read, &byte, 1) == 1 { termination.request() } }
        }
        return termination
    }

    var isRequested: Bool { state.withLock { $0.isRequested } }

    private func request() {
        let waiters = state.withLock { state in
            defer { state.waiters = [:] }
            state.isRequested = true
            return state.waiters.values
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns once the end is requested, at once when it was before, or when the task is cancelled.
    func requested() async {
        let number = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard !state.isRequested, !Task.isCancelled else { return true }
                    state.waiters[number] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
        }
    }

    /// Runs `body`, whose task is cancelled when the end is requested. Returns or throws when it does: it decides what it
    /// still brings to an end.
    func interrupting<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
        let task = Task(operation: body)
        let watch = Task {
            await requested()
            if isRequested { task.cancel() }
        }
        defer { watch.cancel() }
        return try await task.value
    }

    /// Runs until the end is requested or until `body` returns, then `stop`.
    func run(_ body: @escaping @Sendable () async throws -> Void, stop: @Sendable () async -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body() }
            group.addTask { await self.requested() }
            try await group.next()
            await stop()
            group.cancelAll()
        }
    }
}
