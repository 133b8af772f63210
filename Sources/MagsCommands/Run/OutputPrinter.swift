import MagsAPI
import MagsClient
import MagsModel

/// What came of a job that was followed to its end.
struct FollowedJob: Sendable {
    var status: JobStatus
    var captured: CapturedOutput?
    /// Output is missing that the server keeps no longer.
    var hasHoles: Bool

    var ending: JobEnding { hasHoles ? .incomplete(status) : JobEnding(status) }
}

/// Hands a job's output on as it comes, or collects it for a JSON document.
struct OutputPrinter: Sendable {
    let collects: Bool
    let quiet: Bool

    func print(_ output: JobOutput) async throws -> FollowedJob {
        var captured = collects ? CapturedOutput() : nil
        var hasHoles = false
        for try await event in output {
            switch event {
            case .stdout(let bytes):
                if captured == nil { try await StandardStream.output.write(bytes) }
                captured?.stdout.append(bytes)
            case .stderr(let bytes):
                if captured == nil { try await StandardStream.error.write(bytes) }
                captured?.stderr.append(bytes)
            case .system(let text):
                await Console.note(text, quiet: quiet)
            case .skipped(let skipped):
                await Console.complain(skipped.text)
                captured?.miss(skipped)
                hasHoles = true
            case .interrupted(let error):
                await Console.note("\(error.message); trying again", quiet: quiet)
            case .ended(let status):
                return FollowedJob(status: status, captured: captured, hasHoles: hasHoles)
            }
        }
        throw CancellationError()
    }
}

/// A job's output in memory, the first part of it when there is too much.
struct CapturedOutput: Sendable {
    struct Stream: Sendable {
        static let limit = 64 << 20
        private(set) var bytes: [UInt8] = []
        fileprivate(set) var isTruncated = false

        mutating func append(_ more: [UInt8]) {
            let room = Stream.limit - bytes.count
            bytes += more.prefix(room)
            if more.count > room { isTruncated = true }
        }
    }

    var stdout = Stream()
    var stderr = Stream()

    mutating func miss(_ skipped: SkippedOutput) {
        if skipped.stream == "stderr" { stderr.isTruncated = true } else { stdout.isTruncated = true }
    }
}

extension SkippedOutput {
    /// For people.
    var text: String {
        "\(bytes) bytes of the job's \(stream) are missing here: the server keeps \(Limits.logBytes >> 20) MiB of output"
    }
}

/// What `run --json` prints: the job's status and its output as text, bytes that are no UTF-8 as U+FFFD.
struct RunResult: Encodable {
    private let status: JobStatus
    private let captured: CapturedOutput
    /// The code that `mags` itself ends with.
    private let exitCode: Int32

    init(_ status: JobStatus, _ captured: CapturedOutput, exitCode: Int32) {
        self.status = status
        self.captured = captured
        self.exitCode = exitCode
    }

    private enum CodingKeys: String, CodingKey {
        case stdout, stderr, truncated
        case commandExitCode = "command_exit_code"
    }

    func encode(to encoder: any Encoder) throws {
        try status.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(String(decoding: captured.stdout.bytes, as: UTF8.self), forKey: .stdout)
        try container.encode(String(decoding: captured.stderr.bytes, as: UTF8.self), forKey: .stderr)
        try container.encode(captured.stdout.isTruncated || captured.stderr.isTruncated, forKey: .truncated)
        try container.encode(exitCode, forKey: .commandExitCode)
    }
}
