import Dispatch
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The work was interrupted by this signal.
struct Interrupted: Error {
    var signal: Int32
    /// What became of the job, for people.
    var outcome: String?
}

/// Ctrl-C and a polite request to end (`SIGTERM`), as something to wait for. A second wish leaves at once.
final class Interrupts: Sendable {
    private struct State {
        /// Kept alive, or nothing is told any more.
        var sources: [any DispatchSourceSignal] = []
        var burst = SignalBurst()
        var received: Int32?
        var waiter: CheckedContinuation<Int32, any Error>?
    }

    private let state = Mutex(State())

    /// From here on the two signals end the program only through this object.
    init() {
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            state.withLock { state in
                let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
                source.setEventHandler { [weak self] in self?.take(number) }
                source.resume()
                state.sources.append(source)
            }
        }
    }

    /// Runs work until it ends or a signal comes; then the work is cancelled and awaited.
    ///
    /// - Throws: `Interrupted` after a signal, also one that came before.
    func race<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) async throws -> Value {
        try await withThrowingTaskGroup(of: Value.self) { group in
            group.addTask { throw Interrupted(signal: try await self.next()) }
            group.addTask { try await work() }
            defer { group.cancelAll() }
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }

    /// Runs work that must not be left without its result; at a signal it is cancelled, and still awaited.
    ///
    /// - Parameter onSignal: called before that.
    /// - Returns: the work's result, also after a signal: `check` tells.
    func attend<Value: Sendable>(
        onSignal: @escaping @Sendable () async -> Void, _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask {
                _ = try await self.next()
                await onSignal()
                return nil
            }
            group.addTask { try await work() }
            defer { group.cancelAll() }
            while let value = try await group.next() {
                if let value { return value }
                group.cancelAll()
            }
            throw CancellationError()
        }
    }

    /// Returns never.
    ///
    /// - Throws: `Interrupted` after a signal.
    func wait() async throws { throw Interrupted(signal: try await next()) }

    /// - Throws: `Interrupted` when a signal has come.
    func check() throws {
        if let received { throw Interrupted(signal: received) }
    }

    /// The first that came.
    var received: Int32? { state.withLock { $0.received } }

    private func next() async throws -> Int32 {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let known = state.withLock { state -> Int32? in
                    if state.received == nil { state.waiter = continuation }
                    return state.received
                }
                if let known { continuation.resume(returning: known) }
                if Task.isCancelled { giveUp() }
            }
        } onCancel: {
            giveUp()
        }
    }

    private func giveUp() {
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(throwing: CancellationError())
    }

    private func take(_ number: Int32) {
        let (meaning, waiter) = state.withLock { state in
            let meaning = state.burst.take(at: .now)
            guard meaning == .end else { return (meaning, nil as CheckedContinuation<Int32, any Error>?) }
            defer { state.waiter = nil }
            state.received = number
            return (meaning, state.waiter)
        }
        if meaning == .leaveAtOnce { _exit(128 + number) }
        waiter?.resume(returning: number)
    }
}
