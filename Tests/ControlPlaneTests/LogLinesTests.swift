import ControlPlane
import NodeWire
import Testing

@Suite("The lines of a log")
struct LogLinesTests {
    private static func lines(_ records: [OutputRecord]) -> [LogLine] {
        var splitter = LogLines()
        return records.flatMap { splitter.append($0) } + splitter.finish()
    }

    private static func record(_ text: String, _ stream: OutputRecord.Stream = .stdout, at time: UInt64 = 1)
        -> OutputRecord
    {
        OutputRecord(stream: stream, time: time, position: 0, bytes: Array(text.utf8))
    }

    @Test("are cut at line ends, per stream, numbered as they are completed")
    func cuts() {
        let lines = LogLinesTests.lines([
            LogLinesTests.record("a", at: 1), LogLinesTests.record("x\r\ny", .stderr, at: 2),
            LogLinesTests.record("b\n\nc", at: 3), LogLinesTests.record("note\n", .system, at: 4),
        ])
        #expect(lines.map(\.text) == ["x", "ab", "", "note", "y", "c"])
        #expect(lines.map(\.number) == [1, 2, 3, 4, 5, 6])
        #expect(lines.map(\.time) == [2, 1, 3, 4, 2, 3])
        #expect(lines.map(\.stream) == [.stderr, .stdout, .stdout, .system, .stderr, .stdout])
    }

    @Test("say how much is missing where something is, which ends the line before")
    func holes() {
        func record(_ text: String, _ stream: OutputRecord.Stream, _ position: UInt64, at time: UInt64) -> OutputRecord
        {
            OutputRecord(stream: stream, time: time, position: position, bytes: Array(text.utf8))
        }
        let lines = LogLinesTests.lines([
            record("one\nhal", .stdout, 0, at: 1), record("", .stdout, 1007, at: 0), record("", .stderr, 4, at: 0),
            record("f\n", .stdout, 1007, at: 2), record("e\n", .stderr, 4, at: 3), record("x\n", .stdout, 1010, at: 4),
        ])
        #expect(lines.map(\.stream) == [.stdout, .stdout, .system, .system, .stdout, .stderr, .system, .stdout])
        #expect(lines.map(\.time) == [1, 1, 1, 1, 2, 3, 4, 4])
        #expect(lines[1].text == "hal")
        #expect(lines[2].text.hasPrefix("1000 bytes of standard output are missing here"))
        #expect(lines[3].text.hasPrefix("4 bytes of standard error are missing here"))
        #expect(lines[4].text == "f")
        #expect(lines[6].text.hasPrefix("1 bytes of standard output"))
    }

    @Test("show what is no UTF-8 as U+FFFD, and never cut a character in two")
    func characters() {
        let smile = Array("🙂".utf8)
        let halves = [smile[..<2], smile[2...]].map {
            OutputRecord(stream: .stdout, time: 1, position: 0, bytes: Array($0))
        }
        #expect(LogLinesTests.lines(halves).map(\.text) == ["🙂"])
        let damaged = OutputRecord(stream: .stdout, time: 1, position: 0, bytes: [0x61, 0xFF, 0x0A])
        #expect(LogLinesTests.lines([damaged]).map(\.text) == ["a\u{FFFD}"])
        let long = String(repeating: "a", count: LogLines.maximumBytes - 1) + "🙂b"
        let lines = LogLinesTests.lines([LogLinesTests.record(long)])
        #expect(lines.map(\.text).joined() == long)
        #expect(lines.count == 2 && !lines.contains { $0.text.contains("\u{FFFD}") })
    }

    @Test("do not depend on the pieces that the output came in", arguments: 0..<50)
    func pieces(seed: UInt64) {
        var random = Random(state: seed &* 7919 &+ 1)
        let alphabet: [UInt8] = Array("ab\n\r\n".utf8) + [0xC3, 0xA4, 0xFF, 0xF0]
        let length = seed % 10 == 0 ? 200_000 : 500
        let whole = (0..<length).map { _ in alphabet[Int(random.next() % UInt64(alphabet.count))] }
        let isLong = seed % 20 == 0
        let bytes = isLong ? whole.map { $0 == 0x0A ? 0x62 : $0 } : whole
        var records: [OutputRecord] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(Int(random.next() % 97) + 1)
            rest = rest.dropFirst(piece.count)
            records.append(OutputRecord(stream: .stdout, time: 1, position: 0, bytes: Array(piece)))
        }
        let once = LogLinesTests.lines([OutputRecord(stream: .stdout, time: 1, position: 0, bytes: bytes)])
        #expect(LogLinesTests.lines(records).map(\.text) == once.map(\.text))
        #expect(once.allSatisfy { $0.text.utf8.count <= 3 * LogLines.maximumBytes })
    }

    /// Repeatable, so that a failure can be looked at.
    struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 17
        }
    }
}
