import NIOPosix

/// Runs work that waits for the kernel (files, processes) beside the cooperative threads. It runs also when the task is
/// cancelled: much of it removes what else would be left.
func blocking<T: Sendable>(
    _ doing: String, _ work: @escaping @Sendable () throws -> T
) async throws(MachineError) -> T {
    do {
        return try await withCheckedThrowingContinuation { continuation in
            NIOThreadPool.singleton.submit { state in
                switch state {
                case .active: continuation.resume(with: Result(catching: work))
                case .cancelled: continuation.resume(throwing: CancellationError())
                }
            }
        }
    } catch {
        throw MachineError(doing, error)
    }
}
