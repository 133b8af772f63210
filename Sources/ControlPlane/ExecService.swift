import Logging
package import MagsModel
import NodeWire
package import Store

/// Execs: commands that run in a job's machine beside its script. To the node each is a job inside another; here it is
/// started, found, stopped, and brought forward by what the node reports.
package actor ExecService {
    /// An exec without an end.
    struct Open {
        let job: JobID
        let deadline: Int64
        var isRunning = false
        var isStopRequested = false
        /// Until then it has its place here, and may still turn out never to have been.
        var isStored: Bool
        /// Until it runs: sent again when the node lost it. Nil for one that an earlier process was given.
        var assignment: JobAssignment?
        /// Of the assignment.
        var size: Int {
            guard let assignment else { return 0 }
            return assignment.script.utf8.count
                + assignment.environment.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        }

        init(_ exec: ExecRecord, _ assignment: JobAssignment? = nil) {
            job = exec.job
            deadline = exec.deadline
            isRunning = exec.state == .running
            isStopRequested = exec.isStopRequested
            isStored = assignment == nil
            self.assignment = assignment
        }
    }

    let store: any JobStore & ExecStore
    let node: any Node
    let clock: WallClock
    private let seal: Seal
    private let readers: OutputReaders
    private let room: DiskRoom
    private let changes = Changes()
    var open: [JobID: Open] = [:]
    /// Since a connection was opened: what the node has not mentioned on it yet.
    var missing: Set<JobID>?

    init(
        store: any JobStore & ExecStore, node: any Node, seal: Seal, readers: OutputReaders, room: DiskRoom,
        clock: WallClock
    ) {
        self.store = store
        self.node = node
        self.seal = seal
        self.readers = readers
        self.room = room
        self.clock = clock
    }

    /// Reads what an earlier process left. Comes before everything else.
    func load() async throws {
        for exec in try await store.unfinishedExecs() { open[exec.id] = Open(exec) }
    }

    /// Starts a command in a job's machine: kept and on its way to the node when this returns. With the key of an exec
    /// that is kept, and the same order, it is that one.
    package func start(_ order: ExecOrder) async throws -> ExecRecord {
        try await start(order, as: JobID.random())
    }

    private func start(_ order: ExecOrder, as id: JobID) async throws -> ExecRecord {
        try order.check()
        let job = try await store.find(order.job, of: order.owner)
        let fingerprint = order.key == nil ? [] : seal.fingerprint(of: order.canonicalBytes)
        if let key = order.key, let kept = try await store.exec(withKey: key, of: job.id) {
            return try same(kept, fingerprint)
        }
        guard job.state == .running, let payload = try await store.payload(of: job.id) else {
            throw Problem.machineNotRunning(job)
        }
        // What cannot be sent at once is refused, so that nothing waits in memory for a node that may stay away.
        guard readers.isConnected else { throw Problem.nodeUnavailable }
        try await room.check()
        let own = try seal.open(payload.sealedEnvironment, of: job.id)
        let environment = try EnvironmentRules.check(own.merging(order.environment) { $1 }).visible
        let exec = ExecRecord(
            id: id, job: job.id, key: order.key, fingerprint: fingerprint,
            timeoutSeconds: order.timeoutSeconds ?? Limits.defaultTimeoutSeconds, createdAt: clock.now())
        let assignment = JobAssignment(
            id: id, script: order.command, environment: environment, timeoutSeconds: exec.timeoutSeconds,
            inside: job.id, directory: order.directory)
        try checkRoom(in: job)
        open[id] = Open(exec, assignment)
        do {
            if let kept = try await store.insert(exec) {
                open[id] = nil
                return try same(kept, fingerprint)
            }
        } catch {
            open[id] = nil
            throw error
        }
        open[id]?.isStored = true
        await node.send(.start(assignment))
        // A node ignores the stop of what it does not know yet.
        if open[id]?.isStopRequested == true { await node.send(.stop(id)) }
        return exec
    }

    private func same(_ kept: ExecRecord, _ fingerprint: [UInt8]) throws(Problem) -> ExecRecord {
        guard kept.fingerprint == fingerprint else {
            throw Problem(
                409, "idempotency_key_reused", "This Idempotency-Key was used in this job for another request.",
                hint: "Use a new key for each command.")
        }
        return kept
    }

    private func checkRoom(in job: JobRecord) throws(Problem) {
        guard open.values.count(where: { $0.job == job.id }) < Limits.execsPerJob, open.count < Limits.execs else {
            throw Problem(
                429, "too_many_execs",
                "\(Limits.execsPerJob) commands run in this job's machine already, or \(Limits.execs) in all.",
                hint: "Try again when some of them have ended.", isRetryable: true)
        }
        guard open.values.reduce(0, { $0 + $1.size }) <= Limits.pendingExecBytes else {
            throw Problem(
                429, "too_many_execs",
                "The commands that wait to be begun fill "
                    + "\(Limits.pendingExecBytes >> 20) MiB already.", hint: "Try again later.", isRetryable: true)
        }
    }

    /// The job's exec of this id.
    package nonisolated func find(_ id: String, in job: String, of owner: Owner) async throws -> ExecRecord {
        let job = try await store.find(job, of: owner)
        guard let id = JobID(id), let exec = try await store.exec(id), exec.job == job.id else {
            throw Problem(
                404, "exec_not_found", "Exec '\(id.prefix(64))' not found in job \(job.id).",
                hint: "Its end is kept for an hour. A job's name may mean a newer job by now: use the job's request_id."
            )
        }
        return exec
    }

    /// Ends a command, and returns when it has ended.
    package func stop(_ exec: ExecRecord) async throws -> ExecRecord {
        guard open[exec.id] != nil else { return try await store.exec(exec.id) ?? exec }
        open[exec.id]?.isStopRequested = true
        do {
            try await store.requestStop(exec: exec.id)
        } catch {
            await node.send(.stop(exec.id))
            throw error
        }
        await node.send(.stop(exec.id))
        let ended = try await withDeadline(JobService.stopLimit, clock) { try await self.ended(exec.id) }
        guard let ended = ended ?? nil, ended.end != nil else {
            throw Problem(
                503, "stop_unconfirmed", "The host has not confirmed yet that exec \(exec.id) ended.",
                hint: "It is asked again when it answers; look at the exec's status.", isRetryable: true)
        }
        return ended
    }

    /// Waits until the exec has ended.
    /// - Returns: the exec, or nil when it is kept no longer or the caller was cancelled.
    package func ended(_ id: JobID) async throws -> ExecRecord? {
        while await nextChange(of: id) { if Task.isCancelled { return nil } }
        return try await store.exec(id)
    }

    /// The exec's output: all that there is, and when `isLive` all that comes until its end.
    package nonisolated func output(of id: JobID, isLive: Bool, holder: String = "") async throws -> OutputFeed {
        let reader = try await readers.open(id, isLive: isLive, holder: holder)
        return OutputFeed(readers: readers, reader: reader) { await self.nextChange(of: id) }
    }

    /// Starts a command and follows its output. There is room to follow it before it starts, so that nobody who is
    /// refused that has started something.
    package func run(_ order: ExecOrder, holder: String) async throws -> (exec: ExecRecord, feed: OutputFeed) {
        let id = JobID.random()
        let feed = try await output(of: id, isLive: true, holder: holder)
        do {
            let exec = try await start(order, as: id)
            guard exec.id == id else {
                await feed.close()
                return (exec, try await output(of: exec.id, isLive: true, holder: holder))
            }
            // The node did not know it when it was first asked.
            await feed.restart()
            return (exec, feed)
        } catch {
            await feed.close()
            throw error
        }
    }

    /// Whether nobody knows how an exec stands: its node is out of reach, or has not said yet what it still has.
    package func isUnsure(of exec: ExecRecord) -> Bool {
        open[exec.id] != nil && (!readers.isConnected || missing?.contains(exec.id) == true)
    }

    /// - Returns: false at once for an exec that has ended; else true after its state has changed or the caller was
    ///   cancelled.
    private func nextChange(of id: JobID) async -> Bool {
        guard open[id] != nil else { return false }
        await changes.next(of: id)
        return true
    }

    func changed(_ id: JobID) { changes.tell(of: id) }
}

extension JobStore {
    /// The owner's job that a `request_id`, a job's name or a workspace's name stands for.
    func find(_ text: String, of owner: Owner) async throws -> JobRecord {
        guard text.utf8.count <= 1024, let job = try await resolve(text, of: owner) else {
            throw Problem.jobNotFound(text)
        }
        return job
    }
}
