internal import Glibc

/// A thread for work that blocks, or that leaves its thread changed: it ends with the work and never serves anything else.
package enum SystemThread {
    private final class Start {
        let work: @Sendable () -> Void
        init(_ work: @escaping @Sendable () -> Void) { self.work = work }
    }

    package static func perform<Value: Sendable>(
        _ work: @escaping @Sendable () throws(HostError) -> Value
    ) async throws(HostError) -> Value {
        let result: Result<Value, HostError> = await withCheckedContinuation { continuation in
            let number = begin { continuation.resume(returning: Result(catching: work)) }
            if number != 0 {
                continuation.resume(returning: .failure(HostError(errno: number, "a thread could not be started")))
            }
        }
        return try result.get()
    }

    private static func begin(_ work: @escaping @Sendable () -> Void) -> Int32 {
        let start = Unmanaged.passRetained(Start(work))
        var thread = pthread_t()
        let number = pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().work() }
                return nil
            }, start.toOpaque())
        if number == 0 { pthread_detach(thread) } else { start.release() }
        return number
    }
}
