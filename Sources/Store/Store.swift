package import MagsModel

/// What the control plane remembers. Every method is one transaction: it happened whole when it returns, and a crash
/// leaves all of it or nothing.
package protocol Store: JobStore, ExecStore, TokenStore, UploadStore {}

package protocol JobStore: Sendable {
    /// Keeps a new job. Its id must be new.
    func insert(_ job: JobRecord, _ payload: JobPayload) async throws
    /// `pending → running`, with the machine.
    /// - Returns: false when the job is unknown or no longer pending; nothing changes then.
    func markRunning(_ id: JobID, on machine: MachineRecord) async throws -> Bool
    /// Keeps the job's end and final state; a machine only when none is kept yet.
    /// - Returns: false when the job is unknown or has ended already: the first end stands.
    func finish(_ id: JobID, _ end: JobEnd, on machine: MachineRecord?) async throws -> Bool
    /// Notes that the job shall end. No effect on one that has ended.
    func requestStop(_ id: JobID) async throws
    func job(_ id: JobID) async throws -> JobRecord?
    func payload(of id: JobID) async throws -> JobPayload?
    /// Whether any job was kept with an environment: it can be read with the key that sealed it only.
    func hasSealedEnvironments() async throws -> Bool
    func jobs(_ query: JobQuery) async throws -> JobPage
    /// The owner's job that a text names: its id; else among the living (running or sleeping) a name, then a
    /// workspace; else among all a name, then a workspace. The newest of several.
    func resolve(_ text: String, of owner: Owner) async throws -> JobRecord?
    /// Jobs without a final state, oldest first.
    func unfinishedJobs() async throws -> [UnfinishedJob]
    /// The oldest jobs that ended before this time.
    func jobs(finishedBefore time: Int64, limit: Int) async throws -> [JobID]
    /// Unknown ones are left out.
    func deleteJobs(_ ids: [JobID]) async throws
}

package protocol ExecStore: Sendable {
    /// Keeps a new exec of a job that is kept; it goes with its job.
    /// - Returns: the one that the job has under the same key already: nothing is kept then.
    func insert(_ exec: ExecRecord) async throws -> ExecRecord?
    /// `pending → running`.
    /// - Returns: false when the exec is unknown or no longer pending; nothing changes then.
    func markRunning(exec id: JobID, at time: Int64) async throws -> Bool
    /// - Parameter startedAt: kept only when no start is kept yet.
    /// - Returns: false when the exec is unknown or has ended already: the first end stands.
    func finish(exec id: JobID, _ end: JobEnd, startedAt: Int64?) async throws -> Bool
    /// Notes that the exec shall end. No effect on one that has ended.
    func requestStop(exec id: JobID) async throws
    func exec(_ id: JobID) async throws -> ExecRecord?
    func exec(withKey key: String, of job: JobID) async throws -> ExecRecord?
    func unfinishedExecs() async throws -> [ExecRecord]
    /// Execs that ended before this time.
    func execs(finishedBefore time: Int64, limit: Int) async throws -> [JobID]
    /// Unknown ones are left out.
    func deleteExecs(_ ids: [JobID]) async throws
}

package protocol TokenStore: Sendable {
    func insert(_ token: TokenRecord) async throws
    func token(withHash hash: [UInt8]) async throws -> TokenRecord?
    func noteUse(ofToken id: String, at time: Int64) async throws
    func tokens(of owner: Owner) async throws -> [TokenRecord]
    /// - Returns: false when the owner has no such token.
    func deleteToken(_ id: String, of owner: Owner) async throws -> Bool
}

package protocol UploadStore: Sendable {
    func insert(_ upload: UploadRecord) async throws
    /// All there are, whosoever they are.
    func uploadIDs() async throws -> Set<String>
    /// The owner's uploads with these ids, in their order; unknown ones are left out. They count as used now.
    func useUploads(_ ids: [String], of owner: Owner, at time: Int64) async throws -> [UploadRecord]
    /// Forgets what was last used before this time and what no unfinished job needs.
    /// - Returns: the ids of those that are gone now.
    func deleteUploads(unusedSince time: Int64) async throws -> [String]
}
