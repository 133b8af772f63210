import Dispatch

/// A thread for calls that block, so that the cooperative pool never waits for a disk or a resolver.
struct BlockingQueue: Sendable {
    private let queue: DispatchQueue

    init(_ label: String, isConcurrent: Bool = false) {
        queue = DispatchQueue(label: label, attributes: isConcurrent ? .concurrent : [])
    }

    func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try body() }) }
        }
    }
}
