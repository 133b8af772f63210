import MagsModel
import NIOCore
import Synchronization

/// The bodies that are held in memory, of all requests together. A body that finds no room is refused rather than made to
/// wait: those that have some need more to be done.
final class BodyBudget: Sendable {
    private let maximumBytes: Int
    private let heldBytes = Mutex(0)
    private let decoding = Decoding()

    init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    /// What one body holds, for as long as the closure runs.
    struct Share: ~Copyable {
        private let budget: BodyBudget
        private var bytes = 0

        fileprivate init(_ budget: BodyBudget) { self.budget = budget }

        mutating func grow(by count: Int) throws(Problem) {
            let isFitting = budget.heldBytes.withLock { held in
                guard held + count <= budget.maximumBytes else { return false }
                held += count
                return true
            }
            guard isFitting else {
                throw Problem(
                    503, "server_busy",
                    "The bodies of the requests under way fill \(budget.maximumBytes >> 20) MiB already.",
                    hint: "Try again in a moment.", isRetryable: true)
            }
            bytes += count
        }

        deinit { budget.heldBytes.withLock { $0 -= bytes } }
    }

    func share() -> Share { Share(self) }

    /// Decoding takes many times a body's memory and all of a processor: of large bodies one at a time.
    func decode<Value: Sendable>(
        _ bytes: ByteBuffer, _ body: @escaping @Sendable (ByteBuffer) throws -> Value
    ) async throws -> Value {
        guard bytes.readableBytes > 64 * 1024 else { return try body(bytes) }
        return try await decoding.run { try body(bytes) }
    }

    private actor Decoding {
        func run<Value: Sendable>(_ body: @Sendable () throws -> Value) throws -> Value { try body() }
    }
}
