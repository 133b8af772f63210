package import MagsModel

/// A store that lives as long as its process: for tests, and the reading of what a `Store` must do.
package actor MemoryStore: Store {
    /// In the order of their insertion.
    private var kept: [JobRecord] = []
    private var payloads: [JobID: JobPayload] = [:]
    private var indices: [JobID: Int] = [:]
    var execs: [JobID: ExecRecord] = [:]
    private var tokens: [TokenRecord] = []
    private var uploads: [UploadRecord] = []

    package struct Duplicate: Error, Equatable {}

    package init() {}

    package func insert(_ job: JobRecord, _ payload: JobPayload) throws {
        guard index(of: job.id) == nil else { throw Duplicate() }
        payloads[job.id] = payload
        indices[job.id] = kept.count
        kept.append(job)
    }

    package func markRunning(_ id: JobID, on machine: MachineRecord) -> Bool {
        guard let index = index(of: id), kept[index].state == .pending else { return false }
        kept[index].state = .running
        kept[index].machine = machine
        return true
    }

    package func finish(_ id: JobID, _ end: JobEnd, on machine: MachineRecord?) -> Bool {
        guard let index = index(of: id), !kept[index].state.isFinal else { return false }
        kept[index].state = end.outcome.state
        kept[index].end = end
        kept[index].machine = kept[index].machine ?? machine
        payloads[id] = nil
        return true
    }

    package func requestStop(_ id: JobID) {
        guard let index = index(of: id), !kept[index].state.isFinal else { return }
        kept[index].isStopRequested = true
    }

    package func job(_ id: JobID) -> JobRecord? { index(of: id).map { kept[$0] } }

    package func payload(of id: JobID) -> JobPayload? { payloads[id] }

    package func hasSealedEnvironments() -> Bool { payloads.values.contains { !$0.sealedEnvironment.isEmpty } }

    package func jobs(_ query: JobQuery) -> JobPage {
        let fitting = kept.reversed().filter { job in
            job.owner == query.owner && (query.state ?? job.state) == job.state
                && (query.name ?? job.name) == job.name
                && (query.workspaceID == nil || query.workspaceID == job.workspaceID)
        }
        return JobPage(jobs: Array(fitting.dropFirst(query.offset).prefix(query.limit)), total: fitting.count)
    }

    package func resolve(_ text: String, of owner: Owner) -> JobRecord? {
        let mine = kept.reversed().filter { $0.owner == owner }
        if let id = JobID(text), let job = mine.first(where: { $0.id == id }) { return job }
        let living = mine.filter { $0.state == .running || $0.state == .sleeping }
        return living.first { $0.name == text } ?? living.first { $0.workspaceID == text }
            ?? mine.first { $0.name == text } ?? mine.first { $0.workspaceID == text }
    }

    package func unfinishedJobs() -> [UnfinishedJob] {
        kept.filter { !$0.state.isFinal }.map {
            UnfinishedJob(id: $0.id, state: $0.state, payloadSize: payloads[$0.id]?.size ?? 0)
        }
    }

    package func jobs(finishedBefore time: Int64, limit: Int) -> [JobID] {
        kept.filter { job in job.end.map { $0.finishedAt < time } ?? false }.prefix(limit).map(\.id)
    }

    package func deleteJobs(_ ids: [JobID]) {
        let gone = Set(ids)
        kept.removeAll { gone.contains($0.id) }
        payloads = payloads.filter { !gone.contains($0.key) }
        execs = execs.filter { !gone.contains($0.value.job) }
        indices = Dictionary(uniqueKeysWithValues: kept.enumerated().map { ($1.id, $0) })
    }

    package func insert(_ token: TokenRecord) throws {
        guard !tokens.contains(where: { $0.id == token.id || $0.hash == token.hash }) else { throw Duplicate() }
        tokens.append(token)
    }

    package func token(withHash hash: [UInt8]) -> TokenRecord? { tokens.first { $0.hash == hash } }

    package func noteUse(ofToken id: String, at time: Int64) {
        guard let index = tokens.firstIndex(where: { $0.id == id }) else { return }
        tokens[index].lastUsedAt = time
    }

    package func tokens(of owner: Owner) -> [TokenRecord] { tokens.filter { $0.owner == owner } }

    package func deleteToken(_ id: String, of owner: Owner) -> Bool {
        let before = tokens.count
        tokens.removeAll { $0.id == id && $0.owner == owner }
        return tokens.count < before
    }

    package func insert(_ upload: UploadRecord) throws {
        guard !uploads.contains(where: { $0.id == upload.id }) else { throw Duplicate() }
        uploads.append(upload)
    }

    package func uploadIDs() -> Set<String> { Set(uploads.map(\.id)) }

    package func useUploads(_ ids: [String], of owner: Owner, at time: Int64) -> [UploadRecord] {
        ids.compactMap { id in
            guard let index = uploads.firstIndex(where: { $0.id == id && $0.owner == owner }) else { return nil }
            uploads[index].lastUsedAt = max(uploads[index].lastUsedAt, time)
            return uploads[index]
        }
    }

    package func deleteUploads(unusedSince time: Int64) -> [String] {
        let needed = Set(unfinishedJobs().flatMap { payloads[$0.id]?.fileIDs ?? [] })
        let old = uploads.filter { $0.lastUsedAt < time && !needed.contains($0.id) }.map(\.id)
        uploads.removeAll { old.contains($0.id) }
        return old
    }

    func index(of id: JobID) -> Int? { indices[id] }
}
