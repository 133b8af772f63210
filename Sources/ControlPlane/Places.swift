import Synchronization

/// A number of places for work that is under way. Who finds none is turned away, and waits for none.
final class Places: Sendable {
    private let free: Mutex<Int>

    init(_ count: Int) { free = Mutex(count) }

    /// - Throws: `refusal` when every place is taken.
    func hold<Value>(or refusal: any Error, _ body: () async throws -> Value) async throws -> Value {
        let isFree = free.withLock { free in
            guard free > 0 else { return false }
            free -= 1
            return true
        }
        guard isFree else { throw refusal }
        defer { free.withLock { $0 += 1 } }
        return try await body()
    }
}
