import ControlPlane
import Hummingbird
import MagsAPI
import MagsModel
import NIOCore
import NodeWire
import Store

/// One request of a known caller.
struct Call: Sendable {
    let controlPlane: ControlPlane
    let request: Request
    /// The path's `{id}`: a request id, a job's name or a workspace's name.
    let id: String
    /// The path's `{exec}`; empty in a path without one.
    let exec: String
    let token: TokenRecord
    let rules: Rules
    let channel: any Channel

    /// What holds for every call of this server.
    struct Rules: Sendable {
        let heartbeat: Duration
        let bodies: BodyBudget
        /// What replies collect in memory.
        let replies = BodyBudget(maximumBytes: 256 << 20)
        let maximumLogEntries: Int
        /// How long after its time is up a command's end is waited for.
        let execPatience: Duration
    }

    func carryOut(_ operation: Operation) async throws -> Response {
        switch operation {
        case .submitJob: try await submit()
        case .listJobs: try await list()
        case .poolStatus: try .json(PoolStatusReply(try await controlPlane.pool()))
        case .jobStatus: try .json(JobStatus(try await job()))
        case .jobLogs: try await logs()
        case .jobOutput: try await jobOutput()
        case .stopJob:
            try .json(
                StopReply(
                    success: true,
                    status: try await controlPlane.jobs.stop(id, of: token.owner).state.rawValue))
        case .updateJob: try await update()
        case .exec: try await exec()
        case .startExec: try await startExec()
        case .execStatus: try await execStatus()
        case .execOutput: try await execOutput()
        case .stopExec: try await stopExec()
        case .uploadFile: try await upload()
        case .whoAmI:
            try .json(
                Identity(
                    name: token.owner.user, organisation: token.owner.organisation, tokenName: token.name))
        case .doctor: try .json(DoctorReply(findings: await controlPlane.diagnose()))
        case .health, .document: throw Problem(404, "unknown_path", "not found")
        }
    }

    func job() async throws -> JobRecord { try await controlPlane.jobs.find(id, of: token.owner) }

    private func submit() async throws -> Response {
        try requireJSON()
        let bodies = rules.bodies
        var share = bodies.share()
        let (jobs, owner) = (controlPlane.jobs, token.owner)
        let submission = try await request.body.json(
            SubmitRequest.self, fields: SubmitRequest.CodingKeys.self, within: bodies, &share
        ) { asked in
            let submission = Submission(asked, owner: owner)
            // Here, where what breaks the rules is let go of before the next large body is decoded.
            try jobs.check(submission)
            return submission
        }
        let job = try await jobs.submit(submission)
        return try .json(
            SubmitReply(requestID: job.id.text, message: "Job \(job.name) was accepted."), status: .accepted)
    }

    /// Refuses a body that says of itself that it is no JSON. One that does not say what it is is read as JSON, and so is
    /// a form: `curl -d` calls everything one.
    func requireJSON() throws(Problem) {
        guard let type = request.headers[.contentType] else { return }
        let name = type.prefix { $0 != ";" && $0 != " " }.lowercased()
        let isTaken = ["application/json", "application/x-www-form-urlencoded"].contains(name)
        guard isTaken || name.hasPrefix("application/") && name.hasSuffix("+json") else {
            throw Problem(
                415, "unsupported_media_type", "The body must be JSON, not \(name.prefix(64)).",
                hint: "Send it with \"Content-Type: application/json\".")
        }
    }

    private func list() async throws -> Response {
        let query = Query(request)
        let page = try query.number("page", in: 1...1_000_000_000, default: 1)
        let size = try query.number("page_size", in: 1...Limits.maximumPageSize, default: Limits.pageSize)
        let state = try query.text("status").map { text throws(Problem) in
            guard let state = JobState(rawValue: text) else {
                let known = JobState.allCases.map(\.rawValue).joined(separator: ", ")
                throw Problem(400, "invalid_query", "status must be one of \(known).")
            }
            return state
        }
        let found = try await controlPlane.jobs.list(
            JobQuery(
                owner: token.owner, state: state, workspaceID: query.text("workspace_id"), name: query.text("name"),
                limit: size, offset: (page - 1) * size))
        return try .json(
            JobList(jobs: found.jobs.map { JobStatus($0) }, total: found.total, page: page, pageSize: size))
    }

    private func update() async throws -> Response {
        try requireJSON()
        let bodies = rules.bodies
        var share = bodies.share()
        let asked = try await request.body.json(
            UpdateRequest.self, fields: UpdateRequest.CodingKeys.self, mayBeEmpty: true, within: bodies, &share
        ) { $0 }
        let job = try await job()
        if let command = asked.startupCommand, !command.isEmpty { throw Problem.notAvailableYet("startup_command") }
        if asked.noSleep == true { throw Problem.notAvailableYet("no_sleep") }
        return try .json(JobStatus(job))
    }
}

extension PoolStatusReply {
    fileprivate init(_ pool: PoolStatus) {
        self.init(
            idleVMs: pool.idle, busyVMs: pool.busy, totalVMs: pool.idle + pool.busy, minPoolSize: pool.restingSize,
            maxPoolSize: 0, restingSize: pool.restingSize, warmingVMs: pool.warming, waitingJobs: pool.waiting)
    }
}
