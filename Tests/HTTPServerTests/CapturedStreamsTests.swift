import NodeWire
import Testing

@testable import HTTPServer

@Suite("A reply's captured output")
struct CapturedStreamsTests {
    @Test("is the beginning of each stream, without gaps, when there is no room for all of it")
    func budget() {
        var captured = CapturedStreams(within: BodyBudget(maximumBytes: 10))
        func write(_ stream: OutputRecord.Stream, at position: UInt64, _ text: String) {
            captured.append(OutputRecord(stream: stream, time: 0, position: position, bytes: Array(text.utf8)))
        }
        write(.stdout, at: 0, "01234567")
        write(.stdout, at: 8, "89abc")
        write(.stdout, at: 13, "d")
        write(.stderr, at: 0, "e")
        let (stdout, stderr, isTruncated) = (captured.stdout, captured.stderr, captured.isTruncated)
        #expect(String(decoding: stdout, as: UTF8.self) == "01234567")
        #expect(String(decoding: stderr, as: UTF8.self) == "e")
        #expect(isTruncated)
    }
}
