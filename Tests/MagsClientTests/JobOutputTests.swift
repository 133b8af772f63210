import APIDouble
import Foundation
import MagsAPI
import MagsClient
import NIOCore
import Testing

@Suite("A job's output")
struct JobOutputTests {
    /// Two streams in turn, text of the platform between them, bytes that are no text.
    static let part = MagsDouble.Part(
        [
            (1, Array("first ".utf8)), (2, [0, 255, 10, 13]), (3, Array("a word".utf8)), (1, []),
            (1, Array("second".utf8)), (2, Array("!".utf8)),
        ], status: ["exit_code": 3, "status": "error", "script_status": "error"])
    static let quick = RetryPolicy(firstDelay: .microseconds(10), longestDelay: .milliseconds(1))

    struct Result: Equatable {
        var stdout: [UInt8] = []
        var stderr: [UInt8] = []
        var system = ""
        var interruptions = 0
        var resumptions = 0
        var exitCode: Int?
    }

    static func follow(_ double: MagsDouble, _ retries: RetryPolicy = quick) async throws -> Result {
        let client = MagsClient(address: try ServerAddress(double.url), token: MagsDouble.token, retries: retries)
        var result = Result()
        for try await event in client.output(of: MagsDouble.job) {
            switch event {
            case .stdout(let bytes): result.stdout += bytes
            case .stderr(let bytes): result.stderr += bytes
            case .system(let text): result.system += text
            case .skipped: Issue.record("nothing is missing")
            case .interrupted: result.interruptions += 1
            case .resumed: result.resumptions += 1
            case .ended(let status): result.exitCode = status.exitCode
            }
        }
        return result
    }

    static let whole = Result(
        stdout: Array("first second".utf8), stderr: [0, 255, 10, 13, 33], system: "a word", exitCode: 3)

    @Test("comes whole and ends with the job's status")
    func whole() async throws {
        let double = try await MagsDouble.start(JobOutputTests.part)
        #expect(try await JobOutputTests.follow(double) == JobOutputTests.whole)
        await double.server.stop()
    }

    @Test("is exact wherever the connection is cut")
    func cut() async throws {
        let length = JobOutputTests.part.stream(status: JobOutputTests.part.fullStatus(MagsDouble.job)).count
        for position in 0..<length {
            var part = JobOutputTests.part
            part.cuts = [position]
            let double = try await MagsDouble.start(part)
            var expected = JobOutputTests.whole
            expected.interruptions = 1
            #expect(try await JobOutputTests.follow(double) == expected, "cut after \(position) bytes")
            await double.server.stop()
        }
    }

    @Test("is exact when every connection brings only a little more")
    func cutOften() async throws {
        var part = JobOutputTests.part
        part.cuts = [5, 0, 12, 3, 22, 9]
        let double = try await MagsDouble.start(part)
        var expected = JobOutputTests.whole
        expected.interruptions = 6
        #expect(try await JobOutputTests.follow(double) == expected)
        await double.server.stop()
    }

    @Test("tells what is missing of it, once, wherever the connection is cut")
    func missing() async throws {
        let hole = Array(#"{"stream":"stdout","bytes":1000}"#.utf8)
        let whole = MagsDouble.Part([(1, Array("log".utf8)), (4, hole), (2, [1]), (1, Array("rest".utf8))])
        for position in 0..<whole.stream(status: whole.fullStatus(MagsDouble.job)).count {
            var part = whole
            part.cuts = [position]
            let double = try await MagsDouble.start(part)
            let client = MagsClient(
                address: try ServerAddress(double.url), token: MagsDouble.token, retries: JobOutputTests.quick)
            var (text, skipped): (String, [SkippedOutput]) = ("", [])
            for try await event in client.output(of: MagsDouble.job) {
                switch event {
                case .stdout(let bytes): text += String(decoding: bytes, as: UTF8.self)
                case .skipped(let missing): skipped.append(missing)
                default: break
                }
            }
            #expect(text == "logrest", "cut after \(position) bytes")
            #expect(skipped == [SkippedOutput(stream: "stdout", bytes: 1000)], "cut after \(position) bytes")
            await double.server.stop()
        }
    }

    @Test("as it stands is asked for without waiting")
    func standing() async throws {
        let double = try await MagsDouble.start(JobOutputTests.part)
        let client = MagsClient(address: try ServerAddress(double.url), token: MagsDouble.token)
        var stdout: [UInt8] = []
        for try await event in client.output(of: MagsDouble.job, follows: false) {
            if case .stdout(let bytes) = event { stdout += bytes }
        }
        #expect(stdout == JobOutputTests.whole.stdout)
        #expect(double.server.requests.map { $0.query["follow"] } == ["0"])
        await double.server.stop()
    }

    /// One that nobody else is given while the server is away, as a port might be.
    private static func ownAddress() throws -> SocketAddress {
        let folder = FileManager.default.temporaryDirectory.path
        return try SocketAddress(unixDomainSocketPath: "\(folder)/mags-\(UUID().uuidString.prefix(8)).sock")
    }

    @Test("goes on when the server comes back after it was gone")
    func restart() async throws {
        var part = JobOutputTests.part
        part.cuts = [11]
        let double = try await MagsDouble.start(part, at: try JobOutputTests.ownAddress())
        let client = MagsClient(
            address: try ServerAddress(double.url), token: MagsDouble.token, retries: JobOutputTests.quick)
        var stdout: [UInt8] = []
        var interruptions = 0
        for try await event in client.output(of: MagsDouble.job) {
            switch event {
            case .stdout(let bytes): stdout += bytes
            case .interrupted:
                interruptions += 1
                if interruptions == 1 { await double.server.stop() }
                if interruptions == 3 { try await double.resume() }
            default: break
            }
        }
        #expect(stdout == JobOutputTests.whole.stdout)
        #expect(interruptions >= 3)
        await double.server.stop()
    }

    @Test("fails with the last reason when the patience is over")
    func patience() async throws {
        var part = JobOutputTests.part
        part.cuts = Array(repeating: 0, count: 100_000)
        let double = try await MagsDouble.start(part)
        let impatient = RetryPolicy(followPatience: .milliseconds(20), firstDelay: .milliseconds(1))
        let error = await #expect(throws: MagsError.self) { try await JobOutputTests.follow(double, impatient) }
        #expect(error?.code == "connection_lost")
        await double.server.stop()
    }

    @Test("ends soon, and says so, when the server is stopped")
    func stopped() async throws {
        var part = JobOutputTests.part
        part.stops = .max
        let double = try await MagsDouble.start(part)
        let brief = RetryPolicy(
            patience: .milliseconds(20), followPatience: .seconds(600), firstDelay: .milliseconds(1))
        let error = await #expect(throws: MagsError.self) { try await JobOutputTests.follow(double, brief) }
        #expect(error?.code == "server_stopped")
        await double.server.stop()
    }

    @Test("fails with what the server says at last when it comes back and that is final")
    func stoppedForGood() async throws {
        var part = JobOutputTests.part
        part.stops = 1
        let address = try JobOutputTests.ownAddress()
        let double = try await MagsDouble.start(part, at: address)
        let policy = RetryPolicy(patience: .seconds(600), firstDelay: .microseconds(10))
        let client = MagsClient(address: try ServerAddress(double.url), token: MagsDouble.token, retries: policy)
        let refusal = #"{"error": "job not found", "code": "not_found", "request_id": "r-1", "retryable": false}"#
        var another: MagsDouble?
        let error = await #expect(throws: MagsError.self) {
            for try await event in client.output(of: MagsDouble.job) {
                guard case .interrupted = event, another == nil else { continue }
                await double.server.stop()
                another = try await MagsDouble.start(
                    part, at: address, refusing: [(404, [:], refusal)])
            }
        }
        #expect(error?.code == "not_found")
        await another?.server.stop()
    }

    @Test("goes on when the server was stopped only for a moment")
    func startedAgain() async throws {
        var part = JobOutputTests.part
        part.stops = 1
        let double = try await MagsDouble.start(part)
        let policy = RetryPolicy(patience: .seconds(600), firstDelay: .microseconds(10))
        var expected = JobOutputTests.whole
        expected.interruptions = 1
        #expect(try await JobOutputTests.follow(double, policy) == expected)
        await double.server.stop()
    }

    @Test("says that the connection stands again while the job is silent")
    func resumed() async throws {
        var part = MagsDouble.Part([(1, Array("one".utf8)), (3, [])])
        part.cuts = [8]
        part.sendsSilence = true
        let double = try await MagsDouble.start(part)
        let result = try await JobOutputTests.follow(double)
        #expect((result.interruptions, result.resumptions, result.stdout) == (1, 1, Array("one".utf8)))
        await double.server.stop()
    }

    @Test("is not asked for again when the server says that there is no such job")
    func unknown() async throws {
        let double = try await MagsDouble.start()
        let client = MagsClient(address: try ServerAddress(double.url), token: MagsDouble.token)
        var iterator = client.output(of: "nobody").makeAsyncIterator()
        let error = await #expect(throws: MagsError.self) { try await iterator.next() }
        #expect(error?.code == "not_found")
        #expect(try await iterator.next() == nil)
        #expect(double.server.requests.count == 1)
        await double.server.stop()
    }
}
