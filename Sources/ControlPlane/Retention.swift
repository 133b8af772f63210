import MagsModel
import NodeWire
import Store

/// Removes what is older than it is kept: jobs with their logs after 30 days, uploads a day after their last use.
struct Retention: Sendable {
    static let jobSeconds = Int64(Limits.jobDays) * 24 * 3600
    /// Of one transaction.
    static let batch = 1000

    let store: any Store
    let files: FileService
    let node: any Node
    let questions: NodeQuestions
    let clock: WallClock

    /// Jobs wait for a connection, since the node must hear that their output can go. One is deleted here only when the
    /// node has answered a question behind that: what is lost on the way is said again at the next sweep.
    func sweep(_ isConnected: Bool) async throws {
        try await files.sweep()
        guard isConnected else { return }
        let time = clock.now() - Retention.jobSeconds * 1_000_000
        while true {
            let old = try await store.jobs(finishedBefore: time, limit: Retention.batch)
            guard !old.isEmpty else { return }
            for id in old { await node.send(.forget(id)) }
            _ = try await questions.ask(within: .seconds(60)) { .pool(request: $0) }
            try await store.deleteJobs(old)
        }
    }
}
