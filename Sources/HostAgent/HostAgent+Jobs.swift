import GuestWire
import Logging
import Machines
package import MagsModel
import NodeWire

extension HostAgent {
    /// Begins a job, unless the node knows it already.
    func start(_ job: JobAssignment) {
        // The next node is sent it again.
        guard !isStopping else { return }
        if let known = jobs[job.id] { return connections.report(known.currentReport) }
        // A job that has a journal may have run: never again.
        switch files.journal(job.id) {
        case .missing: break
        case .unreadable: return connections.report(.ended(job.id, HostAgent.forgotten, nil))
        case .present(let journal):
            return connections.report(.ended(job.id, journal.outcome ?? HostAgent.forgotten, journal.running))
        }
        do {
            if let owner = job.inside { return try start(job, inside: owner) }
            let run = try makeRun(job.id)
            jobs[job.id] = run
            run.setClaim(Task { await self.place(job, run) })
        } catch {
            let problem = Problem(507, "output_not_kept", "The node cannot keep the job's output: \(error).")
            let outcome = JobOutcome(cause: .failed, code: problem.code, message: problem.description)
            connections.report(.ended(job.id, outcome, nil))
        }
    }

    /// Beside the script of a job that runs here.
    private func start(_ job: JobAssignment, inside owner: JobID) throws {
        do {
            guard let living = jobs[owner]?.living else { throw LivingMachine.gone }
            let stream = try living.open()
            let run = try makeRun(job.id, stream: stream)
            try run.begin(living.machine.candidate, timeoutSeconds: job.timeoutSeconds, inside: owner)
            jobs[job.id] = run
            if run.enter(living, isResumed: false) {
                living.machine.send(ScriptFrames.make(job, stream: stream))
            }
        } catch let problem as Problem {
            files.remove(job.id)
            let outcome = JobOutcome(cause: .failed, code: problem.code, message: problem.description)
            connections.report(.ended(job.id, outcome, nil))
        }
    }

    func makeRun(
        _ id: JobID, stream: UInt16 = LivingMachine.owner, life: JobLife = JobLife(), journal: JobJournal? = nil
    ) throws -> JobRun {
        try JobRun(
            id: id, stream: stream, files: files, life: life, journal: journal, scheduler: clock, logger: logger,
            report: connections.report)
    }

    private nonisolated func place(_ job: JobAssignment, _ run: JobRun) async {
        let request = ClaimRequest(
            memoryMebibytes: job.memoryMebibytes, processors: job.processors, image: job.image,
            diskGigabytes: job.diskGigabytes)
        do {
            if job.uploads.isEmpty {
                let frames = ScriptFrames.make(job)
                let machine = try await engine.claim(request) { candidate in
                    try run.begin(candidate, timeoutSeconds: job.timeoutSeconds)
                    return frames
                }
                run.attach(machine, isResumed: false)
            } else {
                let machine = try await engine.claim(request) { _ in [] }
                do {
                    let folder = UploadFolder(home: configuration.home, path: configuration.uploads)
                    let uploader = Uploader(from: folder, clock: clock) { machine.send($0) }
                    machine.attach { uploader.handle($0) }
                    try await uploader.carry(job.uploads)
                    try run.begin(machine.candidate, timeoutSeconds: job.timeoutSeconds)
                } catch {
                    await machine.discard()
                    throw error
                }
                run.attach(machine, isResumed: false)
                machine.send(ScriptFrames.make(job))
            }
        } catch let problem as Problem {
            run.fail(problem)
        } catch let error as MachineError {
            run.fail(Problem(HostAgent.status(of: error), error.code, error.message, hint: error.hint))
        } catch {
            run.fail(Problem(500, "internal", "The job could not be started: \(error)."))
        }
    }

    /// What became of a job whose journal says that it began, and no more.
    static let forgotten = JobOutcome(
        cause: .failed, code: "machine_lost",
        message: "The node lost track of the job after its script may have begun: its journal cannot be read. "
            + "Run the job again if that does no harm.")

    static func status(of error: MachineError) -> Int { error.code == "node_disk_full" ? 507 : 503 }

    func stop(_ id: JobID) { jobs[id]?.stop() }

    /// The control plane has the outcome: from now on the job is its output alone.
    func settle(_ id: JobID) {
        guard let run = jobs[id], case .ended = run.lifeState else { return }
        if case .present(var journal) = files.journal(id) {
            journal.isSettled = true
            try? files.write(journal)
        }
        if run.output.isFollowed { archive[id] = run.output }
        jobs[id] = nil
    }

    func forget(_ id: JobID) {
        guard jobs[id] == nil else { return }
        archive[id] = nil
        files.remove(id)
    }

    /// Ends every job that may have begun: the server is being stopped.
    package func endAll() {
        isStopping = true
        for run in jobs.values { run.endWithServer() }
    }
}
