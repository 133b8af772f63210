import NodeWire
import Store

/// Removes what is older than it is kept: jobs with their logs after 30 days, uploads a day after their last use.
struct Retention: Sendable {
    static let jobSeconds: Int64 = 30 * 24 * 3600

    let store: any Store
    let files: FileService
    let node: any Node
    let clock: WallClock

    /// Jobs wait for a connection, since the node must hear that their output can go.
    func sweep(_ isConnected: Bool) async throws {
        try await files.sweep()
        guard isConnected else { return }
        for id in try await store.deleteJobs(finishedBefore: clock.now() - Retention.jobSeconds * 1_000_000) {
            await node.send(.forget(id))
        }
    }
}
