import Dispatch
import Synchronization

/// Work that blocks in the system (files, pipes, terminals), kept off the threads that run Swift's tasks.
package struct Blocking: Sendable {
    /// In order, one after another, among the calls on one queue.
    private let queue: DispatchQueue

    package init(label: String) { queue = DispatchQueue(label: label) }

    package func run<Value: Sendable>(_ work: @escaping @Sendable () -> sending Value) async -> Value {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: work()) }
        }
    }

    package func run<Value: Sendable>(_ work: @escaping @Sendable () throws(MagsError) -> Value) async throws -> Value {
        let result: Result<Value, MagsError> = await withCheckedContinuation { continuation in
            queue.async {
                let result: Result<Value, MagsError>
                do throws(MagsError) { result = .success(try work()) } catch { result = .failure(error) }
                continuation.resume(returning: result)
            }
        }
        return try result.get()
    }

    /// As `run`, but a cancelled caller is not held up: the work goes on without it.
    ///
    /// - Throws: `CancellationError`.
    package func runDetached<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async throws -> Value {
        let waiter = Waiter<Value>()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                waiter.wait(continuation)
                queue.async { waiter.end(.success(work())) }
            }
        } onCancel: {
            waiter.end(.failure(CancellationError()))
        }
    }
}

/// Hands one result to one caller, whichever of them comes first; later results are dropped.
private final class Waiter<Value: Sendable>: Sendable {
    private enum State {
        case new
        case waiting(CheckedContinuation<Value, any Error>)
        case ended(Result<Value, any Error>)
    }

    private let state = Mutex(State.new)

    func wait(_ continuation: CheckedContinuation<Value, any Error>) {
        let known = state.withLock { state -> Result<Value, any Error>? in
            if case .ended(let result) = state { return result }
            state = .waiting(continuation)
            return nil
        }
        if let known { continuation.resume(with: known) }
    }

    func end(_ result: Result<Value, any Error>) {
        let waiting = state.withLock { state -> CheckedContinuation<Value, any Error>? in
            defer { if case .ended = state {} else { state = .ended(result) } }
            if case .waiting(let continuation) = state { return continuation }
            return nil
        }
        waiting?.resume(with: result)
    }
}
