import MagsModel
import NodeWire
import Synchronization

/// Questions to the node and their answers, told apart by number.
final class NodeQuestions: Sendable {
    private struct State {
        var next: UInt32 = 1
        var waiting: [UInt32: @Sendable (Report?) -> Void] = [:]
    }

    private let node: any Node
    private let clock: WallClock
    private let state = Mutex(State())

    init(node: any Node, clock: WallClock) {
        self.node = node
        self.clock = clock
    }

    /// Takes a number whose answer goes to the closure, at once and in the order of what the node sends; nil when the
    /// connection was lost instead.
    func expect(_ answer: @escaping @Sendable (Report?) -> Void) -> UInt32 {
        state.withLock { state in
            let number = state.next
            state.next &+= 1
            state.waiting[number] = answer
            return number
        }
    }

    /// - Throws: `Problem.nodeUnavailable` when no answer comes in time.
    func ask(within limit: Duration, _ question: @Sendable @escaping (UInt32) -> Assignment) async throws -> Report {
        let (answers, continuation) = AsyncStream.makeStream(of: Report?.self)
        let number = expect { continuation.yield($0) }
        defer { state.withLock { $0.waiting[number] = nil } }
        await node.send(question(number))
        let answer = try await withDeadline(limit, clock) { () -> Report? in
            for await answer in answers { return answer }
            return nil
        }
        guard let report = answer ?? nil else { throw Problem.nodeUnavailable }
        return report
    }

    func answer(_ number: UInt32, _ report: Report) {
        state.withLock { $0.waiting.removeValue(forKey: number) }?(report)
    }

    func connectionLost() {
        let waiting = state.withLock { state in
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        for answer in waiting { answer(nil) }
    }
}

/// - Returns: nil when the time was up; the body is cancelled then, and awaited.
func withDeadline<Value: Sendable>(
    _ limit: Duration, _ clock: WallClock, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value? {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await clock.sleep(limit)
            return nil
        }
        defer { group.cancelAll() }
        return try await group.next() ?? nil
    }
}
