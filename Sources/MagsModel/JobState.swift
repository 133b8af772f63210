/// Where a job stands. `pending → running → completed | error | stopped`; a job that never gets its machine goes from
/// `pending` to `error` or `stopped`. The last three are final.
public enum JobState: String, Sendable, Codable, CaseIterable {
    case pending, running, sleeping, completed, error, stopped

    public var isFinal: Bool { self == .completed || self == .error || self == .stopped }
}

/// How a job's script ended, as the node that ran it saw it.
public struct JobOutcome: Equatable, Sendable, Codable {
    public enum Cause: String, Sendable, Codable {
        /// The script's first process ended by itself.
        case exited
        /// The job's time was up; the exit code is 124.
        case timedOut
        /// Somebody stopped the job.
        case stopped
        /// The script never ran, or its machine ended under it; `message` says why.
        case failed
    }
    public var cause: Cause
    /// The script's exit code; 128 + signal when a signal ended it; nil when it never ran or its end was not seen.
    public var exitCode: Int?
    /// A stable word and a sentence for people when `cause` is `failed`.
    public var code: String?
    public var message: String?
    /// Milliseconds from the script's start to its end.
    public var durationMilliseconds: Int

    public init(
        cause: Cause, exitCode: Int? = nil, code: String? = nil, message: String? = nil, durationMilliseconds: Int = 0
    ) {
        self.cause = cause
        self.exitCode = exitCode
        self.code = code
        self.message = message
        self.durationMilliseconds = durationMilliseconds
    }

    /// Says that the last of the job's output is missing.
    public mutating func addOutputLoss(_ error: any Error) {
        message = [message, "The last of its output could not be kept (\(error))."].compactMap(\.self)
            .joined(separator: " ")
        code = code ?? "output_not_kept"
    }

    /// The state that a job has after this outcome.
    public var state: JobState {
        switch cause {
        case .exited: exitCode == 0 ? .completed : .error
        case .timedOut, .failed: .error
        case .stopped: .stopped
        }
    }
}
