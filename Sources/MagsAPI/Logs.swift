/// One line of a job's log.
public struct LogEntry: Sendable, Codable, Equatable {
    /// Counts from 1 and names the entry for good: `?after=SEQ` reads on behind it.
    public var seq: Int
    /// RFC 3339 in UTC.
    public var timestamp: String
    /// `info`; `error` is kept for what the platform will report as one.
    public var level: String
    /// `stdout`, `stderr` or `system`.
    public var stream: String
    /// Without its line end; bytes that are no UTF-8 are shown as U+FFFD.
    public var message: String

    public init(seq: Int, timestamp: String, level: String, stream: String, message: String) {
        self.seq = seq
        self.timestamp = timestamp
        self.level = level
        self.stream = stream
        self.message = message
    }
}

/// `GET …/logs`.
public struct LogReply: Sendable, Codable, Equatable {
    public var logs: [LogEntry]
    /// Only where entries were left out: the `after` of the request for the next ones.
    public var nextAfter: Int?

    public init(logs: [LogEntry], nextAfter: Int? = nil) {
        self.logs = logs
        self.nextAfter = nextAfter
    }

    public enum CodingKeys: String, CodingKey {
        case logs
        case nextAfter = "next_after"
    }
}
