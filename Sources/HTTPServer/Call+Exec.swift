import ControlPlane
import HTTPTypes
import Hummingbird
import MagsAPI
import MagsModel
import NIOCore
import Store

extension Call {
    /// The published call: runs a command and answers when it has ended, with all that it wrote.
    func exec() async throws -> Response {
        guard try !Query(request).flag("stream") else {
            throw Problem.notAvailableYet(
                "stream", "POST …/execs starts a command whose output can be followed at …/execs/{exec}/output.")
        }
        var order = try await execOrder()
        order.timeoutSeconds = order.timeoutSeconds ?? Limits.defaultExecSeconds
        let (exec, feed) = try await controlPlane.execs.run(order, holder: token.id)
        let whole: Result<ExecReply, Problem>?
        do {
            whole = try await waiting(for: exec) { try await self.whole(exec, feed) }
        } catch {
            await feed.close()
            throw unknown(exec, because: error as? Problem)
        }
        await feed.close()
        guard let whole else { throw unknown(exec, because: nil) }
        return try .json(whole.get())
    }

    /// - Returns: nil when the exec's end has not come some time after it was due, as from a host that stays away, or
    ///   when the client has left: the caller is not kept for ever, nor what it holds.
    private func waiting<Value: Sendable>(
        for exec: ExecRecord, _ body: @escaping @Sendable () async throws -> Value?
    ) async throws -> Value? {
        let deadline = ContinuousClock.now + .seconds(exec.timeoutSeconds) + rules.execPatience
        let (channel, interval) = (channel, rules.heartbeat)
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                // Looked at rather than told: what is hung on a connection's end stays there, and a connection that is
                // kept open may bring any number of commands.
                while channel.isActive, ContinuousClock.now < deadline {
                    try await Task.sleep(until: min(deadline, .now + interval), clock: .continuous)
                }
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    /// - Returns: nil for an exec whose end is kept no longer.
    private func whole(_ exec: ExecRecord, _ feed: OutputFeed) async throws -> Result<ExecReply, Problem>? {
        var captured = CapturedStreams(within: rules.replies)
        while let records = try await feed.next() {
            for record in records { captured.append(record) }
        }
        guard let ended = try await controlPlane.execs.ended(exec.id), let outcome = ended.end?.outcome else {
            return nil
        }
        let status = ExecStatus(ended)
        guard let code = status.exitCode, outcome.cause != .stopped else {
            return .failure(
                Problem(
                    409, status.errorCode ?? "exec_failed", status.error ?? "The command's end was not seen.",
                    hint: "…/execs/\(exec.id)/output has what it wrote."))
        }
        return .success(
            ExecReply(
                execID: exec.id.text, exitCode: code, stdout: String(decoding: captured.stdout, as: UTF8.self),
                stderr: String(decoding: captured.stderr, as: UTF8.self), truncated: captured.isTruncated,
                timedOut: status.timedOut))
    }

    /// Never one to be tried again: the command was started, and a second request without a key would run it twice.
    private func unknown(_ exec: ExecRecord, because problem: Problem?) -> Problem {
        let reason = problem?.message ?? "Its end has not come in time, or could not be read."
        return Problem(
            502, "exec_unknown", "Command \(exec.id) was started, and how it ends is not known here: \(reason)",
            hint: "Look at …/execs/\(exec.id), its output is at …/execs/\(exec.id)/output. The same request runs it "
                + "again, unless both have the same Idempotency-Key.")
    }

    func startExec() async throws -> Response {
        let exec = try await controlPlane.execs.start(try await execOrder())
        return try .json(await status(of: exec), status: .accepted)
    }

    func execStatus() async throws -> Response { try .json(await status(of: try await foundExec())) }

    func stopExec() async throws -> Response {
        try .json(await status(of: try await controlPlane.execs.stop(try await foundExec())))
    }

    func execOutput() async throws -> Response {
        try await output {
            let (execs, exec, holder) = (controlPlane.execs, try await foundExec(), token.id)
            return Followed {
                try await execs.output(of: exec.id, isLive: $0, holder: holder)
            } status: { isLive in
                guard let last = isLive ? try await execs.ended(exec.id) : exec else { return nil }
                return try JSONBytes.encode(ExecStatus(last, isUnsure: await execs.isUnsure(of: last)))
            }
        }
    }

    private func foundExec() async throws -> ExecRecord {
        try await controlPlane.execs.find(exec, in: id, of: token.owner)
    }

    private func status(of exec: ExecRecord) async -> ExecStatus {
        ExecStatus(exec, isUnsure: await controlPlane.execs.isUnsure(of: exec))
    }

    private func execOrder() async throws -> ExecOrder {
        try requireJSON()
        let bodies = rules.bodies
        var share = bodies.share()
        let (job, owner) = (id, token.owner)
        let key = HTTPField.Name("Idempotency-Key").flatMap { request.headers[$0] }
        return try await request.body.json(
            ExecRequest.self, fields: ExecRequest.CodingKeys.self, within: bodies, &share
        ) { asked in
            if asked.stdin != nil { throw Problem.notAvailableYet("stdin", "A command reads /dev/null.") }
            if asked.tty == true { throw Problem.notAvailableYet("tty") }
            var order = ExecOrder(owner: owner, job: job, command: asked.command)
            order.timeoutSeconds = asked.timeout
            order.directory = asked.cwd
            order.environment = asked.environment ?? [:]
            order.key = key
            try order.check()
            return order
        }
    }
}
