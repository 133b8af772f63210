import Logging
import Machines
package import MagsModel

/// What a killed host agent left: machines whose scripts go on, and ends that nobody has stored yet.
extension HostAgent {
    /// All machines are asked at the same time: a guest that does not answer costs its own job, not the others' time.
    /// - Returns: the machines that are in use.
    package func recover() async -> Set<MachineID> {
        var running: [(JobRun, JobJournal)] = []
        for id in files.all() where !Task.isCancelled {
            do {
                if let journal = try takeUp(id), let run = jobs[id] { running.append((run, journal)) }
            } catch {
                logger.error("job not recovered", metadata: ["job": "\(id)", "error": "\(error)"])
            }
        }
        removeForgotten()
        let beside = Dictionary(grouping: running.filter { $0.1.inside != nil }) { $0.1.inside }
        let owners = running.filter { $0.1.inside == nil }
        for (run, journal) in running where !owners.contains(where: { $0.1.id == journal.inside ?? journal.id }) {
            run.lost(LivingMachine.ownerEnded)
        }
        return await withTaskGroup(of: MachineID?.self) { group in
            for (run, journal) in owners {
                let runs = beside[run.id, default: []].map(\.0)
                group.addTask { await self.adopt(run, journal, beside: runs) }
            }
            var inUse: Set<MachineID> = []
            for await case let id? in group { inUse.insert(id) }
            return inUse
        }
    }

    /// - Returns: the journal of a job whose machine may go on.
    private func takeUp(_ id: JobID) throws -> JobJournal? {
        let journal: JobJournal
        switch files.journal(id) {
        case .missing:
            // Its machine was never chosen: the control plane will send it again.
            files.remove(id)
            return nil
        case .unreadable(let reason):
            logger.error("journal not readable", metadata: ["job": "\(id)", "error": "\(reason)"])
            jobs[id] = try makeRun(id, life: JobLife(ended: HostAgent.forgotten))
            return nil
        case .present(let found): journal = found
        }
        guard !journal.isSettled else { return nil }
        if let outcome = journal.outcome {
            jobs[id] = try makeRun(id, life: JobLife(ended: outcome), journal: journal)
            return nil
        }
        jobs[id] = try makeRun(
            id, stream: journal.stream ?? LivingMachine.owner, life: JobLife(resumed: journal.pendingCause),
            journal: journal)
        return journal
    }

    private nonisolated func adopt(_ run: JobRun, _ journal: JobJournal, beside runs: [JobRun]) async -> MachineID? {
        do {
            let own = max(run.output.progress.received, journal.received ?? 0)
            let received = try WirePosition.read(in: files.path(run.id)) ?? own
            let machine = try await engine.adopt(journal.machine, received: received)
            run.attach(machine, isResumed: true, beside: runs)
            return machine.id
        } catch {
            for run in [run] + runs { run.lost("it ended while the host agent was away (\(JobRun.reason(error)))") }
            return nil
        }
    }

    /// Removes what is left of jobs that nobody asks for any more. A control plane forgets a job a day earlier, and says so,
    /// unless that was lost. Now and once a day.
    func removeForgotten() {
        let limit = Int64(clock.now() / 1_000_000) - Int64(Limits.jobDays + 1) * 24 * 3600
        for id in files.all() where jobs[id] == nil && archive[id] == nil && files.lastChange(id) < limit {
            files.remove(id)
        }
        _ = clock.after(seconds: 24 * 3600) { [weak self] in Task { await self?.removeForgotten() } }
    }

    /// The control plane can reach this node again: the readers of what was taken over have their time to come back from
    /// now on.
    package func readersMayReturn() { for run in jobs.values { run.readersMayReturn() } }
}
