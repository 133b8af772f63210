import Logging
package import MagsModel
import NodeWire
package import Store

/// Jobs: submitted, looked up, stopped, and brought forward by what the node reports.
package actor JobService {
    let store: any JobStore & ExecStore
    let execs: ExecService
    let node: any Node
    let rules: SubmissionRules
    let seal: Seal
    let files: FileService
    let scripts: ScriptSource
    let readers: OutputReaders
    let room: DiskRoom
    let clock: WallClock
    let logger: Logger

    /// Jobs without a final state, as the store has them.
    var unfinished: [JobID: JobState] = [:]
    private var waiting = WaitingJobs()
    /// Jobs that the store has, or is about to have, and the node not yet; whether somebody stopped them meanwhile.
    private var starting: [JobID: Bool] = [:]
    private var isLoaded = false
    private let changes = Changes()
    var reconciliation: Reconciliation?
    var repetition = Repetition()

    /// How long `stop` waits for the node.
    static let stopLimit = Duration.seconds(20)

    init(
        store: any JobStore & ExecStore, execs: ExecService, node: any Node, rules: SubmissionRules, seal: Seal,
        files: FileService,
        scripts: ScriptSource, readers: OutputReaders, room: DiskRoom, clock: WallClock, logger: Logger
    ) {
        self.store = store
        self.execs = execs
        self.node = node
        self.rules = rules
        self.seal = seal
        self.files = files
        self.scripts = scripts
        self.readers = readers
        self.room = room
        self.clock = clock
        self.logger = logger
    }

    /// Reads what an earlier process left. Comes before everything else.
    func load() async throws {
        guard !isLoaded else { return }
        isLoaded = true
        try await execs.load()
        for job in try await store.unfinishedJobs() {
            unfinished[job.id] = job.state
            if job.state == .pending { waiting.add(job.id, size: job.payloadSize) }
        }
    }

    /// - Throws: when the submission breaks a rule.
    package nonisolated func check(_ submission: Submission) throws { _ = try rules.plan(submission) }

    /// Takes a job: kept and on its way to the node when this returns.
    package func submit(_ submission: Submission) async throws -> JobRecord {
        let plan = try rules.plan(submission)
        try waiting.expect()
        do {
            try await room.check()
            let uploads = try await files.use(plan.fileIDs, owner: submission.owner)
            let script =
                switch plan.source {
                case .text(let script): script
                case .address(let address): try await scripts.fetch(address)
                }
            let id = JobID.random()
            let job = JobRecord(
                id: id, owner: submission.owner, name: plan.name ?? "job-\(id.text.prefix(8))",
                workspaceID: plan.workspaceID, timeoutSeconds: plan.timeoutSeconds, processors: plan.processors,
                memoryMebibytes: plan.memoryMebibytes, diskGigabytes: plan.diskGigabytes, createdAt: clock.now())
            let payload = JobPayload(
                script: script, sealedEnvironment: try seal.seal(plan.environment, for: id), fileIDs: plan.fileIDs)
            try await insert(job, payload)
            waiting.arrived(id, size: payload.size)
            await node.send(.start(assignment(job, script, environment: plan.environment, uploads: uploads)))
            // A node ignores the stop of a job that it does not know yet.
            if starting.removeValue(forKey: id) == true { await node.send(.stop(id)) }
            return job
        } catch {
            waiting.turnedAway()
            throw error
        }
    }

    /// From the moment at which the store has the job it can be found and stopped.
    private func insert(_ job: JobRecord, _ payload: JobPayload) async throws {
        unfinished[job.id] = .pending
        starting[job.id] = false
        do {
            try await store.insert(job, payload)
        } catch {
            unfinished[job.id] = nil
            starting[job.id] = nil
            throw error
        }
    }

    /// The owner's job that a `request_id`, a job's name or a workspace's name stands for.
    package nonisolated func find(_ text: String, of owner: Owner) async throws -> JobRecord {
        try await store.find(text, of: owner)
    }

    package nonisolated func list(_ query: JobQuery) async throws -> JobPage { try await store.jobs(query) }

    /// Ends a job, and returns when it has ended.
    package func stop(_ text: String, of owner: Owner) async throws -> JobRecord {
        let job = try await find(text, of: owner)
        guard !job.state.isFinal else { return job }
        if starting[job.id] != nil { starting[job.id] = true }
        do {
            try await store.requestStop(job.id)
        } catch {
            // The wish cannot be kept, as on a full disk; the node may still fulfil it.
            await node.send(.stop(job.id))
            throw error
        }
        await node.send(.stop(job.id))
        let ended = try await withDeadline(JobService.stopLimit, clock) { try await self.ended(job.id) }
        guard let ended = ended ?? nil, ended.state.isFinal else {
            throw Problem(
                503, "stop_unconfirmed", "The host has not confirmed yet that job \(job.id) ended.",
                hint: "It is asked again when it answers; look at the job's status.", isRetryable: true)
        }
        return ended
    }

    /// Waits until the job has ended.
    /// - Returns: the job, or nil when it is kept no longer or the caller was cancelled.
    package func ended(_ id: JobID) async throws -> JobRecord? {
        while unfinished[id] != nil {
            if Task.isCancelled { return nil }
            _ = await nextChange(of: id)
        }
        return try await store.job(id)
    }

    /// The job's output: all that there is, and when `isLive` all that comes until its end.
    /// - Parameter holder: whose share of the readers' places this takes: a token's id.
    package nonisolated func output(
        of job: JobRecord, isLive: Bool, holder: String = ""
    ) async throws -> OutputFeed {
        let reader = try await readers.open(job.id, isLive: isLive, holder: holder)
        return OutputFeed(readers: readers, reader: reader) { await self.nextChange(of: job.id) }
    }

    /// - Returns: false at once for a job that has ended; else true after its state has changed or the caller was
    ///   cancelled.
    func nextChange(of id: JobID) async -> Bool {
        guard unfinished[id] != nil else { return false }
        await changes.next(of: id)
        return true
    }

    func changed(_ id: JobID, to state: JobState) {
        if state != .pending { waiting.remove(id) }
        unfinished[id] = state.isFinal ? nil : state
        changes.tell(of: id)
    }

    func assignment(
        _ job: JobRecord, _ script: String, environment: [String: String], uploads: [JobAssignment.Upload]
    ) -> JobAssignment {
        JobAssignment(
            id: job.id, script: script, environment: environment, timeoutSeconds: job.timeoutSeconds,
            uploads: uploads, memoryMebibytes: job.memoryMebibytes, processors: job.processors,
            diskGigabytes: job.diskGigabytes)
    }
}
