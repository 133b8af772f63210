import MagsAPI
import MagsClient

/// What `run --json` and `exec --json` print: the status and the output as text, bytes that are no UTF-8 as U+FFFD; where
/// it could not be followed to its end, what is known by then, and why.
struct RunResult<Status: Encodable>: Encodable {
    /// What names it.
    private let ids: [String: String]
    /// Nil when the server could not be asked.
    private let status: Status?
    private let captured: CapturedOutput
    /// The code that `mags` itself ends with.
    private let exitCode: Int32
    private let failure: MagsError?

    init(
        _ status: Status?, _ captured: CapturedOutput, exitCode: Int32, ids: [String: String] = [:],
        failure: MagsError? = nil
    ) {
        self.ids = ids
        self.status = status
        self.captured = captured
        self.exitCode = exitCode
        self.failure = failure
    }

    private enum CodingKeys: String, CodingKey {
        case stdout, stderr, truncated, status, error, code, hint, retryable
        case commandExitCode = "command_exit_code"
    }

    func encode(to encoder: any Encoder) throws {
        if let status { try status.encode(to: encoder) } else { try ids.encode(to: encoder) }
        var container = encoder.container(keyedBy: CodingKeys.self)
        if status == nil {
            try container.encode("unknown", forKey: .status)
        }
        let (stdout, stderr) = (captured.stdout, captured.stderr)
        try container.encode(String(decoding: stdout.bytes, as: UTF8.self), forKey: .stdout)
        try container.encode(String(decoding: stderr.bytes, as: UTF8.self), forKey: .stderr)
        try container.encode(stdout.isTruncated || stderr.isTruncated, forKey: .truncated)
        try container.encode(exitCode, forKey: .commandExitCode)
        guard let failure else { return }
        try container.encode(failure.message, forKey: .error)
        try container.encode(failure.code, forKey: .code)
        try container.encodeIfPresent(failure.hint, forKey: .hint)
        try container.encode(failure.isRetryable, forKey: .retryable)
    }
}
