import APIDouble
import MagsAPI
import Testing

@testable import MagsClient

@Suite("A job's log as it comes")
struct JobLogTests {
    private static let part = MagsDouble.Part(
        [(1, Array("one".utf8)), (2, Array("tw\no: ü".utf8)), (3, Array("three".utf8)), (1, Array("four".utf8))],
        status: ["exit_code": 3, "status": "error", "script_status": "error"])

    /// The numbers and the exit code, and how often the connection was lost.
    private static func follow(_ double: MagsDouble, after: Int) async throws -> ([LogEntry], Int?, Int) {
        let retries = RetryPolicy(firstDelay: .microseconds(10), longestDelay: .milliseconds(1))
        let client = MagsClient(address: try ServerAddress(double.url), token: MagsDouble.token, retries: retries)
        var (entries, exitCode, losses): ([LogEntry], Int?, Int) = ([], nil, 0)
        for try await event in client.log(of: MagsDouble.job, after: after) {
            switch event {
            case .entry(let entry): entries.append(entry)
            case .interrupted: losses += 1
            case .resumed: break
            case .ended(let status): exitCode = status.exitCode
            }
        }
        return (entries, exitCode, losses)
    }

    @Test("comes whole from a number on, wherever the connection is cut, and never by asking again and again")
    func cut() async throws {
        for position in 0..<JobLogTests.part.events(after: 1, job: MagsDouble.job).count {
            var part = JobLogTests.part
            part.cuts = [position]
            let double = try await MagsDouble.start(part)
            let (entries, exitCode, losses) = try await JobLogTests.follow(double, after: 1)
            #expect(entries.map(\.seq) == [2, 3, 4], "cut after \(position) bytes")
            #expect(entries.map(\.message) == ["tw\no: ü", "three", "four"])
            #expect(exitCode == 3)
            #expect(losses == 1)
            #expect(double.server.requests.count == 2)
            #expect(double.server.requests.allSatisfy { $0.query["follow"] == "1" })
            await double.server.stop()
        }
    }

    @Test("ends soon, and says so, when the server is stopped")
    func stopped() async throws {
        var part = JobLogTests.part
        part.stops = .max
        let double = try await MagsDouble.start(part)
        let retries = RetryPolicy(
            patience: .milliseconds(20), followPatience: .seconds(600), firstDelay: .milliseconds(1))
        let client = MagsClient(address: try ServerAddress(double.url), token: MagsDouble.token, retries: retries)
        var numbers: [Int] = []
        let error = await #expect(throws: MagsError.self) {
            for try await event in client.log(of: MagsDouble.job) {
                if case .entry(let entry) = event { numbers.append(entry.seq) }
            }
        }
        #expect(error?.code == "server_stopped")
        #expect(numbers == [1, 2, 3, 4])
        await double.server.stop()
    }

    @Test("tells entries that stand for missing output from all others")
    func holes() {
        func entry(_ message: String, _ stream: String = "system") -> LogEntry {
            LogEntry(seq: 1, timestamp: "", level: "info", stream: stream, message: message)
        }
        let words = "12 bytes of standard error are missing here: the log keeps 64 MiB."
        #expect(entry(words).skipped == SkippedOutput(stream: "stderr", bytes: 12))
        #expect(
            entry(words.replacing("error", with: "output")).skipped == SkippedOutput(stream: "stdout", bytes: 12))
        #expect(entry(words, "stdout").skipped == nil)
        for other in ["", "-1\(words.dropFirst(2))", "12 bytes of standard error", "so \(words)"] {
            #expect(entry(other).skipped == nil)
        }
    }

    @Test("as it stands is whole wherever the connection is cut")
    func list() async throws {
        let length = JobLogTests.part.list(after: 1).count
        for position in 0..<length {
            var part = JobLogTests.part
            part.cuts = [position]
            let double = try await MagsDouble.start(part)
            let retries = RetryPolicy(firstDelay: .microseconds(10), longestDelay: .milliseconds(1))
            let client = MagsClient(address: try ServerAddress(double.url), token: MagsDouble.token, retries: retries)
            let entries = try await client.logs(of: MagsDouble.job, after: 1).logs
            #expect(entries.map(\.seq) == [2, 3, 4], "cut after \(position) bytes")
            #expect(entries.map(\.message) == ["tw\no: ü", "three", "four"])
            #expect(double.server.requests.count == 2)
            await double.server.stop()
        }
    }

    @Test("as it stands is cut into entries whatever pieces it comes in", arguments: [1, 2, 3, 1000])
    func listPieces(size: Int) throws {
        let entries = [#"{"a":"]}{[\\\" ","b":[{"c":{}}]}"#, #"{}"#, #"{ "d" : "\\" }"#]
        let bytes = Array("{ \"more\": {\"x\":[]}, \"logs\" :\n[\(entries.joined(separator: " , "))] }".utf8)
        var decoder = LogListDecoder()
        var items: [LogListDecoder.Item] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            decoder.append(bytes[start..<min(start + size, bytes.count)])
            while let item = try decoder.next() { items.append(item) }
        }
        #expect(items == entries.map { .entry(Array($0.utf8)) } + [.end(nextAfter: nil)])
    }

    @Test("that is sent in parts is asked for until it is whole, and a part that leads nowhere ends it")
    func parts() async throws {
        var part = JobLogTests.part
        part.listLimit = 1
        let double = try await MagsDouble.start(part)
        let client = MagsClient(address: try ServerAddress(double.url), token: MagsDouble.token, retries: .never)
        let entries = try await client.logs(of: MagsDouble.job).logs
        #expect(entries.map(\.seq) == [1, 2, 3, 4])
        #expect(double.server.requests.map { $0.query["after"] } == ["0", "1", "2", "3"])
        await double.server.stop()

        part.listLimit = 0
        let stuck = try await MagsDouble.start(part)
        let other = MagsClient(address: try ServerAddress(stuck.url), token: MagsDouble.token, retries: .never)
        #expect(try await other.logs(of: MagsDouble.job).logs.isEmpty)
        await stuck.server.stop()
    }

    @Test("as it stands is given up when an entry never ends, or there is none")
    func endlessList() throws {
        var decoder = LogListDecoder()
        decoder.append(Array(#"{"logs":[{""#.utf8))
        #expect(throws: EventStreamDecoder.Damage.self) {
            for _ in 0..<20 {
                decoder.append([UInt8](repeating: 120, count: 100_000))
                _ = try decoder.next()
            }
        }
        var closed = LogListDecoder()
        closed.append(Array("]".utf8))
        #expect(throws: EventStreamDecoder.Damage.self) { try closed.next() }
    }

    @Test("of a job that has ended ends at once")
    func ended() async throws {
        let double = try await MagsDouble.start(JobLogTests.part)
        let (entries, exitCode, losses) = try await JobLogTests.follow(double, after: 4)
        #expect((entries.count, exitCode, losses) == (0, 3, 0))
        await double.server.stop()
    }

    @Test("is read from any pieces, comments and unknown fields left out", arguments: [1, 2, 7, 1000])
    func pieces(size: Int) throws {
        let text = ": hello\n\nid: 1\nretry: 5\ndata: {a}\n\nevent: end\ndata:x\ndata: y\n\nevent: lost\n\ndata: cut"
        var decoder = EventStreamDecoder()
        var events: [EventStreamDecoder.Event] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: size) {
            decoder.append(bytes[start..<min(start + size, bytes.count)])
            while let event = try decoder.next() { events.append(event) }
        }
        #expect(events.map(\.name) == ["message", "end"])
        #expect(events.map { String(decoding: $0.data, as: UTF8.self) } == ["{a}", "x\ny"])
    }

    @Test("that never ends a line, or an event, is given up")
    func endless() {
        for piece in ["x", "data: x\n"] {
            var decoder = EventStreamDecoder()
            #expect(throws: EventStreamDecoder.Damage.self) {
                for _ in 0..<40 {
                    decoder.append(Array(String(repeating: piece, count: 100_000).utf8))
                    _ = try decoder.next()
                }
            }
        }
    }
}
