import Foundation
import GuestWire
import MagsModel
import NodeWire
import Synchronization
import Testing

@testable import HostAgent

/// Collects what a follower gets, and sees whether it hangs together.
private final class Follower: Sendable {
    private struct State {
        var next: UInt64
        var records: [OutputRecord] = []
        var decoder = OutputRecordDecoder()
        /// Behind the last whole record.
        var whole: UInt64
        var skipped: [(stdout: UInt64, stderr: UInt64)] = []
        var hasEnded = false
    }

    private let state: Mutex<State>

    init(from offset: UInt64 = 0) { state = Mutex(State(next: offset, whole: offset)) }

    func take(_ delivery: JobOutput.Delivery) {
        state.withLock { state in
            switch delivery {
            case .end: state.hasEnded = true
            case .unreadable: Issue.record("not readable")
            case .skipped(let offset, let stdout, let stderr):
                #expect(offset > state.next)
                (state.next, state.whole, state.decoder) = (offset, offset, OutputRecordDecoder())
                state.skipped.append((stdout, stderr))
            case .records(let bytes, let offset):
                #expect(offset == state.next)
                state.next += UInt64(bytes.count)
                state.decoder.append(bytes)
                do {
                    while let record = try state.decoder.next() {
                        state.records.append(record)
                        state.whole += UInt64(record.size)
                    }
                } catch { Issue.record("no records at \(offset)") }
            }
        }
    }

    var whole: UInt64 { state.withLock { $0.whole } }
    var received: UInt64 { state.withLock { $0.next } }
    var skipped: [(stdout: UInt64, stderr: UInt64)] { state.withLock { $0.skipped } }
    var records: [OutputRecord] { state.withLock { $0.records } }

    var hasEnded: Bool { state.withLock { $0.hasEnded } }
    func bytes(_ stream: OutputRecord.Stream) -> [UInt8] {
        state.withLock { $0.records.filter { $0.stream == stream }.flatMap(\.bytes) }
    }
    var system: String { String(decoding: bytes(.system), as: UTF8.self) }
}

extension JobOutput {
    /// As one frame that nothing follows for now.
    func keep(_ bytes: [UInt8], of stream: Stream, received: UInt64) throws {
        try accept(bytes, of: stream, received: received)
        try commit()
    }
}

@Suite("The output of a job")
struct JobOutputTests {
    private let folder: TemporaryFolder
    private let reader = JobOutput.Reader(connection: 1, number: 1)

    init() throws { folder = try TemporaryFolder() }

    private func make() throws -> JobOutput { try JobOutput(folder: folder.path, now: { 1 }) }

    @Test("reaches a follower from the first byte, streams apart, and then its end")
    func follow() throws {
        let output = try make()
        try output.keep(Array("one".utf8), of: .stdout, received: 10)
        let follower = Follower()
        output.follow(reader, from: 0, credit: 1 << 20) { follower.take($0) }
        try output.keep(Array("two".utf8), of: .stderr, received: 20)
        try output.keep(Array("three".utf8), of: .stdout, received: 30)
        try output.finish()
        #expect(String(decoding: follower.bytes(.stdout), as: UTF8.self) == "onethree")
        #expect(String(decoding: follower.bytes(.stderr), as: UTF8.self) == "two")
        #expect(follower.hasEnded)
    }

    @Test("counts a frame that comes twice after a crash once")
    func duplicate() throws {
        let first = try make()
        try first.keep(Array("abc".utf8), of: .stdout, received: 11)
        let second = try make()
        #expect(second.progress.received == 11)
        try second.keep(Array("abc".utf8), of: .stdout, received: 11)
        try second.keep(Array("def".utf8), of: .stdout, received: 22)
        #expect(second.progress.stdoutCount == 6)
    }

    @Test("drops what was written behind the last progress")
    func tornWrite() throws {
        let first = try make()
        try first.keep(Array("abc".utf8), of: .stdout, received: 11)
        let file = try #require(FileHandle(forWritingAtPath: folder.path + "/output"))
        try file.seekToEnd()
        try file.write(contentsOf: Data("torn".utf8))
        let second = try make()
        try second.keep(Array("def".utf8), of: .stdout, received: 22)
        let follower = Follower()
        second.follow(reader, from: 0, credit: 1 << 20) { follower.take($0) }
        #expect(String(decoding: follower.bytes(.stdout), as: UTF8.self) == "abcdef")
    }

    @Test("sends a reader no more than its credit")
    func credit() throws {
        let output = try make()
        try output.keep([UInt8](repeating: 1, count: 1000), of: .stdout, received: 1008)
        let got = Mutex(0)
        output.follow(reader, from: 0, credit: 100) {
            if case .records(let bytes, _) = $0 { got.withLock { $0 += bytes.count } }
        }
        #expect(got.withLock { $0 } == 100)
        output.consume(reader, bytes: 50)
        #expect(got.withLock { $0 } == 150)
    }

    @Test("beyond the log's limit is counted, dropped and told when nobody reads")
    func dropped() throws {
        let output = try make()
        let chunk = [UInt8](repeating: 7, count: 1 << 16)
        for index in 1...(80 * 16) { try output.keep(chunk, of: .stdout, received: UInt64(index)) }
        try output.finish()
        let progress = output.progress
        #expect(progress.stdoutCount == 80 << 20)
        #expect(progress.length < UInt64(Limits.logBytes + (2 << 20)))
        let follower = Follower()
        output.follow(reader, from: 0, credit: .max) { follower.take($0) }
        #expect(follower.system.contains("\(progress.dropped) more bytes"))
        #expect(UInt64(follower.bytes(.stdout).count) + progress.dropped == 80 << 20)
    }

    /// 110 MiB in odd pieces of both streams, which a reader has taken up to a place inside a record.
    private func overflow(_ output: JobOutput, _ follower: Follower) throws {
        output.follow(reader, from: 0, credit: 777) { follower.take($0) }
        let piece = [UInt8](repeating: 7, count: 30_007)
        var sent: UInt64 = 0
        while sent < 110 << 20 {
            sent += UInt64(piece.count)
            try output.keep(piece, of: sent % 3 == 0 ? .stderr : .stdout, received: sent)
            output.consume(reader, bytes: piece.count)
        }
    }

    @Test("tells a reader that joins late what is kept no longer, and goes on with whole records")
    func joinsLate() throws {
        let output = try make()
        let first = Follower()
        try overflow(output, first)
        let late = Follower()
        output.follow(JobOutput.Reader(connection: 2, number: 1), from: 0, credit: 1 << 30) { late.take($0) }
        try output.keep([8], of: .stderr, received: 1 << 40)
        #expect(first.skipped.isEmpty)
        let skipped = try #require(late.skipped.first)
        #expect(late.skipped.count == 1)
        #expect(late.records.last?.bytes == [8])
        // What the reader has is exactly what there was, but for the hole.
        for (stream, hole) in [(OutputRecord.Stream.stdout, skipped.stdout), (.stderr, skipped.stderr)] {
            let records = late.records.filter { $0.stream == stream }
            var next: UInt64 = 0
            var holes: [UInt64] = []
            for record in records {
                if record.position != next { holes.append(record.position) }
                next = record.position + UInt64(record.bytes.count)
            }
            #expect(holes == [hole])
            #expect(next == (stream == .stdout ? output.progress.stdoutCount : output.progress.stderrCount))
        }
        #expect(late.records.reduce(0) { $0 + $1.bytes.count } >= Limits.logBytes - (1 << 20))
    }

    @Test(
        "loses nothing for a reader that is cut off inside a record beyond the log and comes back",
        arguments: [false, true])
    func comesBack(toAnotherProcess: Bool) throws {
        let output = try make()
        let first = Follower()
        try overflow(output, first)
        #expect(first.received > first.whole)
        #expect(output.unfollow(reader, wasCut: true) != nil)
        let again = Follower(from: first.whole)
        let later = toAnotherProcess ? try make() : output
        later.follow(JobOutput.Reader(connection: 2, number: 1), from: first.whole, credit: 1 << 30) { again.take($0) }
        try later.keep([8], of: .stderr, received: 1 << 40)
        #expect(again.skipped.isEmpty)
        let all = first.records + again.records
        #expect(all.last?.bytes == [8])
        let total = all.reduce(0) { $0 + UInt64($1.bytes.count) }
        #expect(total == later.progress.stdoutCount + later.progress.stderrCount)
    }

    @Test("of a version without the window's positions is read all the same")
    func oldProgress() throws {
        let first = try make()
        try first.keep(Array("abc".utf8), of: .stdout, received: 11)
        let file = try #require(FileHandle(forWritingAtPath: folder.path + "/progress"))
        try file.truncate(atOffset: 64)
        let follower = Follower()
        try make().follow(reader, from: 0, credit: 1 << 20) { follower.take($0) }
        #expect(follower.bytes(.stdout) == Array("abc".utf8))
    }

    @Test("holds the guest while an attached reader is slow, and loses nothing")
    func windowed() throws {
        let output = try make()
        let granted = Mutex(UInt64(Credit.window))
        output.onGrant { credit in
            granted.withLock {
                #expect(credit.stdout > $0)
                $0 = credit.stdout
            }
        }
        let follower = Follower()
        output.follow(reader, from: 0, credit: 1 << 16) { follower.take($0) }
        let chunk = [UInt8](repeating: 7, count: 1 << 16)
        let total: UInt64 = 100 << 20
        var sent: UInt64 = 0
        var taken: UInt64 = 0
        while sent < total {
            while sent < min(total, granted.withLock { $0 }) {
                try output.keep(chunk, of: .stdout, received: sent + 1)
                sent += UInt64(chunk.count)
            }
            // What the reader has not taken beyond the log stays within the window and what was granted before it filled.
            let unread = sent - min(sent, max(taken, UInt64(Limits.logBytes)))
            #expect(unread <= JobOutput.windowBytes + 2 * UInt64(Credit.window))
            output.consume(reader, bytes: 1 << 20)
            taken += 1 << 20
        }
        try output.finish()
        for _ in 0..<200 { output.consume(reader, bytes: 1 << 20) }
        #expect(follower.bytes(.stdout).count == Int(total))
        #expect(follower.hasEnded)
        #expect(output.progress.dropped == 0)
    }
}
