/// `POST …/mags-jobs/{id}/exec`, which waits for the command's end, and `…/execs`, which does not.
public struct ExecRequest: Sendable, Codable, Equatable {
    /// Run by bash as a script.
    public var command: String
    /// Seconds that the command may run; then it ends with exit code 124. 30 where its end is waited for, else a day.
    public var timeout: Int?
    /// Where it starts, an absolute path; `/root` by default.
    public var cwd: String?
    /// Variables beside those of the job, over which they win.
    public var environment: [String: String]?
    /// Not available yet.
    public var stdin: String?
    /// Not available yet.
    public var tty: Bool?

    public init(
        command: String, timeout: Int? = nil, cwd: String? = nil, environment: [String: String]? = nil,
        stdin: String? = nil, tty: Bool? = nil
    ) {
        self.command = command
        self.timeout = timeout
        self.cwd = cwd
        self.environment = environment
        self.stdin = stdin
        self.tty = tty
    }

    public enum CodingKeys: String, CodingKey, CaseIterable {
        case command, timeout, cwd, environment, stdin, tty
    }
}

/// The answer to `POST …/exec`: the command has ended.
public struct ExecReply: Sendable, Codable, Equatable {
    public var execID: String
    /// 128 + signal when a signal ended the command; 124 when its time was up.
    public var exitCode: Int
    /// As text, bytes that are no UTF-8 as U+FFFD; the first 4 MiB.
    public var stdout: String
    public var stderr: String
    /// Some of `stdout` or `stderr` was left out.
    public var truncated: Bool
    public var timedOut: Bool

    public init(
        execID: String, exitCode: Int, stdout: String, stderr: String, truncated: Bool = false, timedOut: Bool = false
    ) {
        self.execID = execID
        self.exitCode = exitCode
        self.stdout = stdout
        self.stderr = stderr
        self.truncated = truncated
        self.timedOut = timedOut
    }

    public enum CodingKeys: String, CodingKey {
        case stdout, stderr, truncated
        case execID = "exec_id"
        case exitCode = "exit_code"
        case timedOut = "timed_out"
    }
}

/// A command in a job's machine as `…/execs/{exec}` shows it. Times are RFC 3339 in UTC.
public struct ExecStatus: Sendable, Codable, Equatable {
    public var execID: String
    /// The job's id.
    public var requestID: String
    /// `pending`, `running` or `ended`.
    public var status: String
    /// `ran` or `never_ran` once it has ended; `unknown` while its host is out of reach, until that says what became of it.
    public var outcome: String?
    /// Absent until the command has ended, and where its end was not seen.
    public var exitCode: Int?
    public var timedOut: Bool
    public var durationMS: Int?
    public var createdAt: String
    public var startedAt: String?
    public var finishedAt: String?
    /// Why there is no exit code of the command's own, for people, and its stable word.
    public var error: String?
    public var errorCode: String?
    /// Seconds that the command may run.
    public var timeout: Int

    public init(
        execID: String, requestID: String, status: String, outcome: String? = nil, exitCode: Int? = nil,
        timedOut: Bool = false, durationMS: Int? = nil, createdAt: String, startedAt: String? = nil,
        finishedAt: String? = nil, error: String? = nil, errorCode: String? = nil, timeout: Int
    ) {
        self.execID = execID
        self.requestID = requestID
        self.status = status
        self.outcome = outcome
        self.exitCode = exitCode
        self.timedOut = timedOut
        self.durationMS = durationMS
        self.createdAt = createdAt
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.error = error
        self.errorCode = errorCode
        self.timeout = timeout
    }

    public enum CodingKeys: String, CodingKey {
        case status, outcome, error, timeout
        case execID = "exec_id"
        case requestID = "request_id"
        case exitCode = "exit_code"
        case timedOut = "timed_out"
        case durationMS = "duration_ms"
        case createdAt = "created_at"
        case startedAt = "started_at"
        case finishedAt = "finished_at"
        case errorCode = "error_code"
    }
}
