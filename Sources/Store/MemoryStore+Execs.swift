package import MagsModel

extension MemoryStore {
    package func insert(_ exec: ExecRecord) throws -> ExecRecord? {
        guard index(of: exec.job) != nil, execs[exec.id] == nil else { throw Duplicate() }
        if let key = exec.key, let kept = self.exec(withKey: key, of: exec.job) { return kept }
        execs[exec.id] = exec
        return nil
    }

    package func markRunning(exec id: JobID, at time: Int64) -> Bool {
        guard let exec = execs[id], exec.state == .pending else { return false }
        execs[id]?.startedAt = time
        return true
    }

    package func finish(exec id: JobID, _ end: JobEnd, startedAt: Int64?) -> Bool {
        guard let exec = execs[id], exec.end == nil else { return false }
        execs[id]?.end = end
        execs[id]?.startedAt = exec.startedAt ?? startedAt
        return true
    }

    package func requestStop(exec id: JobID) {
        guard execs[id]?.end == nil else { return }
        execs[id]?.isStopRequested = true
    }

    package func exec(_ id: JobID) -> ExecRecord? { execs[id] }

    package func exec(withKey key: String, of job: JobID) -> ExecRecord? {
        execs.values.first { $0.job == job && $0.key == key }
    }

    package func unfinishedExecs() -> [ExecRecord] { execs.values.filter { $0.end == nil } }

    package func execs(finishedBefore time: Int64, limit: Int) -> [JobID] {
        execs.values.filter { exec in exec.end.map { $0.finishedAt < time } ?? false }.prefix(limit).map(\.id)
    }

    package func deleteExecs(_ ids: [JobID]) { for id in ids { execs[id] = nil } }
}
