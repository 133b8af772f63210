import MagsModel
import NodeWire
import Store

/// Removes what is older than it is kept: jobs with their logs after 30 days, execs with their output
/// after an hour, uploads a day after their last use.
struct Retention: Sendable {
    static let jobSeconds = Int64(Limits.jobDays) * 24 * 3600
    static let execSeconds: Int64 = 3600
    /// Of one transaction.
    static let batch = 1000

    let store: any Store
    let files: FileService
    let node: any Node
    let questions: NodeQuestions
    let clock: WallClock

    func sweep(_ isConnected: Bool) async throws {
        try await files.sweep()
        guard isConnected else { return }
        let time = clock.now() - Retention.jobSeconds * 1_000_000
        try await forget {
            try await store.jobs(finishedBefore: time, limit: Retention.batch)
        } _: {
            try await store.deleteJobs($0)
        }
    }

    func sweepExecs(_ isConnected: Bool) async throws {
        guard isConnected else { return }
        let time = clock.now() - Retention.execSeconds * 1_000_000
        try await forget {
            try await store.execs(finishedBefore: time, limit: Retention.batch)
        } _: {
            try await store.deleteExecs($0)
        }
    }

    /// Waits for a connection, since the node must hear that the output can go. What is old is deleted here only when the
    /// node has answered a question behind that: what is lost on the way is said again at the next sweep.
    private func forget(
        _ next: () async throws -> [JobID], _ delete: ([JobID]) async throws -> Void
    ) async throws {
        while true {
            let old = try await next()
            guard !old.isEmpty else { return }
            for id in old { await node.send(.forget(id)) }
            _ = try await questions.ask(within: .seconds(60)) { .pool(request: $0) }
            try await delete(old)
        }
    }
}
