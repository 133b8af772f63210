import MagsAPI
import MagsClient
import MagsModel
import Synchronization

/// What came of a job, or of a command in its machine, that was followed to its end.
struct Followed<Status: Sendable>: Sendable {
    var status: Status
    /// Output is missing that the server keeps no longer.
    var hasHoles: Bool
}

extension Followed<JobStatus> {
    var ending: Ending { hasHoles ? .incomplete("job \(status.requestID)", status.exitCode) : Ending(status) }
}

extension Followed<ExecStatus> {
    var ending: Ending { hasHoles ? .incomplete("the command", status.exitCode) : Ending(status) }
}

/// Hands output on as it comes, or collects it for a JSON document.
struct OutputPrinter: Sendable {
    let captured: CapturedOutput?
    let quiet: Bool

    func print<Status>(_ output: FollowedOutput<Status>) async throws -> Followed<Status> {
        var hasHoles = false
        var notes = ConnectionNotes(quiet: quiet)
        for try await event in output {
            if case .interrupted(let error) = event {
                await notes.lost(error)
                continue
            }
            await notes.stands()
            switch event {
            case .stdout(let bytes):
                if let captured { captured.append(stdout: bytes) } else { try await StandardStream.output.write(bytes) }
            case .stderr(let bytes):
                if let captured { captured.append(stderr: bytes) } else { try await StandardStream.error.write(bytes) }
            case .system(let text):
                await Console.note(text, quiet: quiet)
            case .skipped(let skipped):
                await Console.complain(skipped.text)
                captured?.miss(skipped)
                hasHoles = true
            case .interrupted, .resumed: break
            case .ended(let status):
                return Followed(status: status, hasHoles: hasHoles)
            }
        }
        throw CancellationError()
    }
}

/// A job's output in memory, the first part of it when there is too much. What has come by an interruption stays.
final class CapturedOutput: Sendable {
    struct Stream: Sendable {
        static let limit = 64 << 20
        private(set) var bytes: [UInt8] = []
        fileprivate(set) var isTruncated = false

        fileprivate mutating func append(_ more: [UInt8]) {
            let room = Stream.limit - bytes.count
            bytes += more.prefix(room)
            if more.count > room { isTruncated = true }
        }
    }

    private let streams = Mutex((stdout: Stream(), stderr: Stream()))

    var stdout: Stream { streams.withLock { $0.stdout } }
    var stderr: Stream { streams.withLock { $0.stderr } }

    func append(stdout bytes: [UInt8]) { streams.withLock { $0.stdout.append(bytes) } }
    func append(stderr bytes: [UInt8]) { streams.withLock { $0.stderr.append(bytes) } }

    func miss(_ skipped: SkippedOutput) {
        streams.withLock {
            if skipped.stream == "stderr" { $0.stderr.isTruncated = true } else { $0.stdout.isTruncated = true }
        }
    }
}

extension SkippedOutput {
    /// For people.
    var text: String {
        "\(bytes) bytes of \(stream) are missing here: the server keeps \(Limits.logBytes >> 20) MiB of output"
    }
}
