import MagsClient

/// Work that a person waits for: given up when it takes too long.
enum Deadline {
    static func within<Value: Sendable>(
        _ limit: Duration, orThrow error: MagsError, _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value.self) { group in
            group.addTask { try await work() }
            group.addTask {
                try await Task.sleep(for: limit)
                throw error
            }
            defer { group.cancelAll() }
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }
}
