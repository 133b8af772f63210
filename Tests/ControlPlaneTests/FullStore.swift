import MagsModel
import Store
import Synchronization

/// A store whose disk is full while a test says so: it reads, and takes nothing.
final class FullStore: Store {
    private struct State {
        var isFull = false
        var refusals = 0
        var onInsertExec: @Sendable () async throws -> Void = {}
    }

    private let store = MemoryStore()
    private let state = Mutex(State())

    func fill() { state.withLock { $0.isFull = true } }

    /// What happens while an exec is inserted.
    func onInsertExec(_ body: @escaping @Sendable () async throws -> Void) { state.withLock { $0.onInsertExec = body } }

    func free() { state.withLock { $0.isFull = false } }

    /// How often something was to be written in vain.
    var refusals: Int { state.withLock { $0.refusals } }

    private func take<Value>(_ write: (MemoryStore) async throws -> Value) async throws -> Value {
        let isFull = state.withLock { state in
            if state.isFull { state.refusals += 1 }
            return state.isFull
        }
        if isFull { throw Problem.diskFull }
        return try await write(store)
    }

    func insert(_ job: JobRecord, _ payload: JobPayload) async throws {
        try await take { try await $0.insert(job, payload) }
    }
    func markRunning(_ id: JobID, on machine: MachineRecord) async throws -> Bool {
        try await take { await $0.markRunning(id, on: machine) }
    }
    func finish(_ id: JobID, _ end: JobEnd, on machine: MachineRecord?) async throws -> Bool {
        try await take { await $0.finish(id, end, on: machine) }
    }
    func requestStop(_ id: JobID) async throws { try await take { await $0.requestStop(id) } }
    func job(_ id: JobID) async throws -> JobRecord? { await store.job(id) }
    func payload(of id: JobID) async throws -> JobPayload? { await store.payload(of: id) }
    func hasSealedEnvironments() async throws -> Bool { await store.hasSealedEnvironments() }
    func jobs(_ query: JobQuery) async throws -> JobPage { await store.jobs(query) }
    func resolve(_ text: String, of owner: Owner) async throws -> JobRecord? { await store.resolve(text, of: owner) }
    func unfinishedJobs() async throws -> [UnfinishedJob] { await store.unfinishedJobs() }
    func jobs(finishedBefore time: Int64, limit: Int) async throws -> [JobID] {
        await store.jobs(finishedBefore: time, limit: limit)
    }
    func deleteJobs(_ ids: [JobID]) async throws { try await take { await $0.deleteJobs(ids) } }
    func insert(_ exec: ExecRecord) async throws -> ExecRecord? {
        try await state.withLock { $0.onInsertExec }()
        return try await take { try await $0.insert(exec) }
    }
    func markRunning(exec id: JobID, at time: Int64) async throws -> Bool {
        try await take { await $0.markRunning(exec: id, at: time) }
    }
    func finish(exec id: JobID, _ end: JobEnd, startedAt: Int64?) async throws -> Bool {
        try await take { await $0.finish(exec: id, end, startedAt: startedAt) }
    }
    func requestStop(exec id: JobID) async throws { try await take { await $0.requestStop(exec: id) } }
    func exec(_ id: JobID) async throws -> ExecRecord? { await store.exec(id) }
    func exec(withKey key: String, of job: JobID) async throws -> ExecRecord? {
        await store.exec(withKey: key, of: job)
    }
    func unfinishedExecs() async throws -> [ExecRecord] { await store.unfinishedExecs() }
    func execs(finishedBefore time: Int64, limit: Int) async throws -> [JobID] {
        await store.execs(finishedBefore: time, limit: limit)
    }
    func deleteExecs(_ ids: [JobID]) async throws { try await take { await $0.deleteExecs(ids) } }
    func insert(_ token: TokenRecord) async throws { try await take { try await $0.insert(token) } }
    func token(withHash hash: [UInt8]) async throws -> TokenRecord? { await store.token(withHash: hash) }
    func noteUse(ofToken id: String, at time: Int64) async throws {
        try await take { await $0.noteUse(ofToken: id, at: time) }
    }
    func tokens(of owner: Owner) async throws -> [TokenRecord] { await store.tokens(of: owner) }
    func deleteToken(_ id: String, of owner: Owner) async throws -> Bool {
        try await take { await $0.deleteToken(id, of: owner) }
    }
    func insert(_ upload: UploadRecord) async throws { try await take { try await $0.insert(upload) } }
    func uploadIDs() async throws -> Set<String> { await store.uploadIDs() }
    func useUploads(_ ids: [String], of owner: Owner, at time: Int64) async throws -> [UploadRecord] {
        try await take { await $0.useUploads(ids, of: owner, at: time) }
    }
    func deleteUploads(unusedSince time: Int64) async throws -> [String] {
        try await take { await $0.deleteUploads(unusedSince: time) }
    }
}
