import Foundation
import GuestWire
import MagsModel
import NodeWire
import Synchronization
import Testing

@testable import HostAgent
@testable import Machines

@Suite("What a guest may send")
struct CreditTests {
    private let folder: TemporaryFolder
    private let reader = JobOutput.Reader(connection: 1, number: 1)
    private let chunk = [UInt8](repeating: 7, count: 1 << 15)

    init() throws { folder = try TemporaryFolder() }

    private func make() throws -> JobOutput { try JobOutput(folder: folder.path, now: { 1 }) }

    /// Sends for as long as the guest may.
    private func fill(_ output: JobOutput, upTo limit: UInt64 = .max) throws {
        while output.progress.stdoutCount + UInt64(chunk.count) <= limit {
            let progress = output.progress
            do {
                try output.keep(chunk, of: .stdout, received: progress.received + 1)
            } catch is GuestLoss {
                return
            }
        }
    }

    @Test("is refused beyond what it was granted, to the byte, and nothing of it is kept", arguments: [0, 1 << 20])
    func refusesMore(before: UInt64) throws {
        let output = try make()
        output.follow(reader, from: 0, credit: 0) { _ in }
        try fill(output, upTo: before)
        // A whole frame in one batch after the other, so that nothing is granted in between.
        let granted = Int(Credit.window)
        let position = output.progress.received
        for index in 0..<(granted / chunk.count) {
            try output.accept(chunk, of: .stdout, received: position + 1 + UInt64(index))
        }
        let length = output.progress.length
        #expect(throws: GuestLoss.self) { try output.accept([1], of: .stdout, received: position + 100) }
        #expect(output.progress.length == length)
        // The other stream has a credit of its own.
        try output.accept([1], of: .stderr, received: position + 101)
    }

    @Test("never makes the spool grow beyond the log, the window and the credit, when its reader takes nothing")
    func bounded() throws {
        let output = try make()
        output.follow(reader, from: 0, credit: 1) { _ in }
        try fill(output)
        let most = UInt64(Limits.logBytes) + JobOutput.windowBytes + 2 * UInt64(Credit.window)
        #expect(output.progress.stdoutCount > UInt64(Limits.logBytes))
        #expect(output.progress.stdoutCount < most)
    }

    @Test("is granted again, never less than before, when another host agent takes over with a full window")
    func takenOver() throws {
        let first = try make()
        let last = Mutex(Credit(stdout: UInt64(Credit.window), stderr: UInt64(Credit.window)))
        first.onGrant { credit in last.withLock { $0 = credit } }
        first.follow(reader, from: 0, credit: 1) { _ in }
        try fill(first)
        // The guest stands at the very end of its credit.
        let before = last.withLock { $0 }
        #expect(first.progress.stdoutCount == before.stdout)

        let second = try make()
        let again = Mutex<Credit?>(nil)
        second.onGrant { credit in again.withLock { $0 = credit } }
        _ = second.resume()
        let granted = try #require(again.withLock { $0 })
        #expect(granted.stdout == before.stdout + UInt64(Credit.window))
        #expect(granted.stderr >= before.stderr)
        // Its reader is on its way: what comes meanwhile is kept for it.
        let received = second.progress.received
        try second.keep(chunk, of: .stdout, received: received + 1)
        #expect(second.progress.dropped == 0)
    }

    @Test("that cannot be written may bring the guest's last words on the same thread")
    func comesBack() throws {
        let output = try make()
        let words = Mutex(0)
        output.onGrant { _ in
            let number = words.withLock { count in
                count += 1
                return count
            }
            guard number == 1 else { return }
            try? output.accept(Array("last".utf8), of: .stderr, received: 100)
            try? output.commit()
        }
        for index in 0..<4 { try output.accept(chunk, of: .stdout, received: UInt64(index + 1)) }
        try output.commit()
        #expect(words.withLock { $0 } > 0)
        #expect(output.progress.stderrCount == 4)
    }

    @Test("counts as granted nothing that is not on disk yet")
    func grantsWhatIsKept() throws {
        let output = try make()
        let granted = Mutex<Credit?>(nil)
        output.onGrant { credit in granted.withLock { $0 = credit } }
        for index in 0..<4 { try output.accept(chunk, of: .stdout, received: UInt64(index + 1)) }
        #expect(granted.withLock { $0 } == nil)
        #expect(try make().progress.stdoutCount == 0)
        try output.commit()
        #expect(granted.withLock { $0 }?.stdout == UInt64(4 * chunk.count) + UInt64(Credit.window))
        #expect(try make().progress.stdoutCount == UInt64(4 * chunk.count))
    }

    @Test("is kept for a reader that is cut a second time, for as long as after the first time")
    func secondCut() throws {
        let output = try make()
        output.follow(reader, from: 0, credit: 1 << 30) { _ in }
        while output.progress.logEnd == 0 {
            try output.keep(chunk, of: .stdout, received: output.progress.received + 1)
        }
        let first = try #require(output.unfollow(reader, wasCut: true))
        output.follow(reader, from: output.progress.length, credit: 1 << 30) { _ in }
        let second = try #require(output.unfollow(reader, wasCut: true))
        output.endHold(first)
        try output.keep(chunk, of: .stdout, received: output.progress.received + 1)
        #expect(output.progress.dropped == 0)
        output.endHold(second)
        try output.keep(chunk, of: .stdout, received: output.progress.received + 1)
        #expect(output.progress.dropped == UInt64(chunk.count))
    }

    @Test("that is not all, because the last of it cannot be kept, is told to its readers")
    func endsWithoutRoom() throws {
        // A spool as long as a file can be: nothing more can be written behind it.
        let length = try longestFile()
        var words = [UInt64](repeating: 0, count: SpoolProgress.wordCount)
        (words[1], words[4]) = (length, 5)
        try words.map(\.littleEndian).withUnsafeBytes { Data($0) }
            .write(to: URL(fileURLWithPath: folder.path + "/progress"))
        let output = try make()
        let hasEnded = Mutex(false)
        output.follow(reader, from: length, credit: 1 << 20) { delivery in
            if case .unreadable = delivery { hasEnded.withLock { $0 = true } }
        }
        #expect(throws: Problem.self) { try output.finish() }
        #expect(hasEnded.withLock { $0 })
    }

    @Test("that could not be kept once is never followed by more: no reader sees a hole", .enabled(if: geteuid() == 0))
    func failureStays() throws {
        try #require(mount("tmpfs", folder.path, "tmpfs", 0, "size=64k") == 0)
        defer { umount2(folder.path, 2) }
        let output = try make()
        try output.keep([1, 2, 3], of: .stdout, received: 3)
        let before = output.progress
        let large = [UInt8](repeating: 7, count: 128 << 10)
        #expect(throws: Problem.self) { try output.keep(large, of: .stdout, received: 4) }
        // There is room again.
        #expect(throws: Problem.self) { try output.keep([4], of: .stdout, received: 5) }
        output.advance(received: 6)
        #expect(throws: Problem.self) { try output.finish() }
        #expect(output.progress == before)
        #expect(try JobOutput(folder: folder.path, now: { 1 }).progress == before)
    }

    @Test("that cannot be read is told apart from its end")
    func unreadable() throws {
        let output = try make()
        try output.keep([1, 2, 3], of: .stdout, received: 3)
        try output.finish()
        // What was written is gone, as on a damaged disk.
        try #require(truncate(folder.path + "/output", 0) == 0)
        let said = Mutex<[String]>([])
        output.follow(reader, from: 0, credit: 1 << 20) { delivery in
            switch delivery {
            case .records: said.withLock { $0.append("records") }
            case .skipped: said.withLock { $0.append("skipped") }
            case .end: said.withLock { $0.append("end") }
            case .unreadable: said.withLock { $0.append("unreadable") }
            }
        }
        #expect(said.withLock { $0 } == ["unreadable"])
        #expect(!output.isFollowed)
    }

    private func longestFile() throws -> UInt64 {
        let descriptor = open(folder.path + "/probe", O_RDWR | O_CREAT, 0o600)
        defer { close(descriptor) }
        var (most, tooMuch) = (off_t(0), off_t.max)
        while tooMuch - most > 1 {
            let middle = most + (tooMuch - most) / 2
            if ftruncate(descriptor, middle) == 0 { most = middle } else { tooMuch = middle }
        }
        #expect(most > 0)
        return UInt64(most)
    }

    @Test("is not reckoned with when its positions cannot be", arguments: [0, 1, 2, 5, 7])
    func damaged(word: Int) throws {
        var words = [UInt64](repeating: 0, count: SpoolProgress.wordCount)
        words[word] = .max
        try words.withUnsafeBytes { Data($0) }.write(to: URL(fileURLWithPath: folder.path + "/progress"))
        #expect(throws: Problem.self) { try make() }
    }

    @Test("survives a reader with numbers that no honest one has")
    func hostileReader() throws {
        let output = try make()
        for (number, from) in [UInt64.max, UInt64(Int64.max), 1 << 62].enumerated() {
            let reader = JobOutput.Reader(connection: 1, number: UInt32(number))
            output.follow(reader, from: from, credit: .max) { _ in }
            for bytes in [Int.max, Int.max, -1, Int.min] { output.consume(reader, bytes: bytes) }
        }
        try fill(output, upTo: 1 << 20)
        output.consume(JobOutput.Reader(connection: 1, number: 0), bytes: .max)
        #expect(output.progress.stdoutCount == 1 << 20)
    }
}
