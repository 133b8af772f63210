import Logging
import MagsModel
import NodeWire
import Store

extension JobService {
    /// What a node must still mention after it was asked for its inventory.
    struct Reconciliation {
        /// Unfinished jobs when the connection was opened, and what became of each since.
        var missing: [JobID: JobState]
    }

    /// Brings a job, or an exec in one, forward. Reports come one at a time, in the node's order.
    func take(_ report: Report) async {
        do {
            if try await execs.take(report) { return }
            switch report {
            case .pending(let id): try await seen(id)
            case .running(let id, let machine): try await running(id, on: machine)
            case .ended(let id, let outcome, let machine): try await end(id, outcome, on: machine)
            case .inventoryEnd: try await endReconciliation()
            case .outputEnd, .outputUnknown, .outputUnreadable, .outputSkipped, .pool, .diagnosis: break
            }
        } catch {
            // The report is not settled: the node says it again when it is asked.
            failed("a report could not be stored", error)
        }
    }

    /// Asks the node for everything again, some time after a report was lost to a store that failed. Until cancelled.
    func repeatAfterFailures() async throws {
        for await _ in repetition.wanted.stream {
            // The end of the inventory that is under way says whether another is wanted.
            guard repetition.hasFailed, reconciliation == nil else { continue }
            try await clock.sleep(.seconds(repetition.pauseSeconds))
            repetition.pauseSeconds = min(2 * repetition.pauseSeconds, Repetition.longestPauseSeconds)
            if repetition.hasFailed { await reconcile() }
        }
    }

    private func failed(_ what: Logger.Message, _ error: any Error) {
        logger.error(what, metadata: ["error": "\(error)"])
        repetition.hasFailed = true
        repetition.wanted.continuation.yield()
    }

    /// Asks the node what it knows, to find what was lost in between.
    func reconcile() async {
        repetition.hasFailed = false
        do {
            let jobs = try await store.unfinishedJobs()
            reconciliation = Reconciliation(missing: Dictionary(uniqueKeysWithValues: jobs.map { ($0.id, $0.state) }))
        } catch {
            reconciliation = nil
            failed("the unfinished jobs could not be read", error)
        }
        await execs.reconcile()
        await node.send(.inventory)
    }

    private func seen(_ id: JobID) async throws {
        reconciliation?.missing[id] = nil
        guard let job = try await store.job(id) else { return try await forget(id) }
        if job.isStopRequested { await node.send(.stop(id)) }
    }

    private func running(_ id: JobID, on machine: RunningMachine) async throws {
        let isRepeated = reconciliation?.missing.removeValue(forKey: id) != nil
        if try await store.markRunning(id, on: MachineRecord(machine)) {
            changed(id, to: .running)
        } else if unfinished[id] == nil, try await store.job(id) == nil {
            return try await forget(id)
        }
        if isRepeated, let job = try await store.job(id), job.isStopRequested { await node.send(.stop(id)) }
    }

    private func end(_ id: JobID, _ outcome: JobOutcome, on machine: RunningMachine?) async throws {
        reconciliation?.missing[id] = nil
        let end = JobEnd(outcome: outcome, finishedAt: clock.now())
        if try await store.finish(id, end, on: machine.map(MachineRecord.init)) {
            changed(id, to: outcome.state)
        } else if try await store.job(id) == nil {
            return try await forget(id)
        }
        await node.send(.settle(id))
    }

    /// A job that is kept here no longer; or an exec whose end is, and its output with it.
    private func forget(_ id: JobID) async throws {
        let isExec = try await store.exec(id) != nil
        await node.send(.stop(id))
        await node.send(.settle(id))
        if !isExec { await node.send(.forget(id)) }
    }

    /// What the node did not mention it does not have: a job that waited is sent again, one that ran is lost.
    private func endReconciliation() async throws {
        guard let missing = reconciliation?.missing else { return }
        reconciliation = nil
        defer { repetition.inventoryEnded() }
        try await execs.endReconciliation()
        for id in missing.keys {
            guard let job = try await store.job(id), !job.state.isFinal else { continue }
            if job.isStopRequested {
                try await end(id, JobOutcome(cause: .stopped), on: nil)
            } else if job.state != .pending {
                let message = "The job's machine was lost: its host stopped or was started again."
                try await end(id, JobOutcome(cause: .failed, code: "machine_lost", message: message), on: nil)
            } else {
                try await sendAgain(job)
            }
        }
    }

    private func sendAgain(_ job: JobRecord) async throws {
        do {
            guard let payload = try await store.payload(of: job.id) else { return }
            let uploads = try await files.use(payload.fileIDs, owner: job.owner)
            let environment = try seal.open(payload.sealedEnvironment, of: job.id)
            await node.send(.start(assignment(job, payload.script, environment: environment, uploads: uploads)))
        } catch let problem as Problem where problem == .diskFull {
            throw problem
        } catch {
            logger.error("a waiting job cannot be sent again", metadata: ["job": "\(job.id)", "error": "\(error)"])
            let message = "The job could not be started again: its environment or its files can no longer be read."
            try await end(job.id, JobOutcome(cause: .failed, code: "job_unreadable", message: message), on: nil)
        }
    }
}

extension MachineRecord {
    fileprivate init(_ machine: RunningMachine) {
        self.init(
            id: machine.machine, accelerator: machine.accelerator, image: machine.image, startedAt: machine.startedAt)
    }
}
