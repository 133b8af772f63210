import MagsModel
import NIOCore
import NodeWire
import Store
import Synchronization
import Testing

@testable import ControlPlane

@Suite("A job's output")
struct OutputTests {
    private static func collect(_ feed: OutputFeed) async throws -> [OutputRecord] {
        var all: [OutputRecord] = []
        while let records = try await feed.next() { all += records }
        await feed.close()
        return all
    }

    @Test("comes whole and in order to a reader that follows from before the start")
    func follows() async throws {
        try await Fixture.with { it in
            let job = try await it.submit()
            let feed = try await it.control.jobs.output(of: job, isLive: true)
            it.node.write(job.id, .system, "waiting\n")
            it.node.run(job.id)
            it.node.write(job.id, "one")
            it.node.write(job.id, .stderr, "two")
            it.node.end(job.id)
            let records = try await OutputTests.collect(feed)
            #expect(records.map(\.stream) == [.system, .stdout, .stderr])
            #expect(records.map { String(decoding: $0.bytes, as: UTF8.self) } == ["waiting\n", "one", "two"])
        }
    }

    @Test(
        "that is there already ends a reader that does not wait, though the job runs on, whatever its size",
        arguments: [0, 1, 40])
    func snapshot(pieces: Int) async throws {
        try await Fixture.with { it in
            let job = try await it.submit()
            it.node.run(job.id)
            for number in 0..<pieces {
                it.node.write(job.id, .stdout, [UInt8](repeating: UInt8(number), count: 100_000))
            }
            let records = try await OutputTests.collect(try await it.control.jobs.output(of: job, isLive: false))
            #expect(records.map { $0.bytes.first } == (0..<pieces).map { UInt8($0) })
            #expect(try await it.store.job(job.id)?.state.isFinal == false)
        }
    }

    @Test("is held back while a reader does not take it")
    func backPressure() async throws {
        try await Fixture.with { it in
            let job = try await it.submit()
            let feed = try await it.control.jobs.output(of: job, isLive: true)
            for _ in 0..<64 { it.node.write(job.id, .stdout, [UInt8](repeating: 7, count: 100_000)) }
            let sent = it.node.state.withLock { $0.followers.values.map(\.sent) }
            #expect(sent == [OutputReader.window])
            it.node.end(job.id)
            let records = try await OutputTests.collect(feed)
            #expect(records.reduce(0) { $0 + $1.bytes.count } == 6_400_000)
        }
    }

    @Test("may come in records larger than what is sent ahead", arguments: [true, false])
    func largeRecords(isLive: Bool) async throws {
        try await Fixture.with { it in
            let job = try await it.submit()
            let sizes = [OutputRecord.maximumLength, 1, OutputRecord.maximumLength - 1, OutputReader.window]
            for size in sizes { it.node.write(job.id, .stdout, [UInt8](repeating: 7, count: size)) }
            if isLive { it.node.end(job.id) }
            let records = try await OutputTests.collect(try await it.control.jobs.output(of: job, isLive: isLive))
            #expect(records.map(\.bytes.count) == sizes)
        }
    }

    @Test("comes once and whole over a connection that breaks again and again")
    func reconnects() async throws {
        try await Fixture.with { it in
            let job = try await it.submit()
            let feed = try await it.control.jobs.output(of: job, isLive: true)
            it.node.run(job.id)
            async let collected = OutputTests.collect(feed)
            for number in 0..<20 {
                it.node.write(job.id, .stdout, [UInt8](repeating: UInt8(number), count: 7777))
                if number % 3 == 0 {
                    it.node.disconnect()
                    it.node.write(job.id, .stderr, "while away")
                    it.node.connect(to: it.control)
                }
            }
            it.node.end(job.id)
            let records = try await collected
            let bytes = records.filter { $0.stream == .stdout }.flatMap(\.bytes)
            #expect(bytes == (0..<20).flatMap { [UInt8](repeating: UInt8($0), count: 7777) })
            #expect(records.count { $0.stream == .stderr } == 7)
        }
    }

    @Test("of which a part is kept no longer comes with a sign of it, and goes on after each cut", arguments: [1, 3])
    func hole(cuts: Int) async throws {
        try await Fixture.with { it in
            let job = try await it.submit()
            it.node.run(job.id)
            it.node.write(job.id, "log")
            let log = OutputRecord.headerSize + 3
            it.node.write(job.id, String(repeating: "x", count: 100_000))
            it.node.write(job.id, .stderr, "gone")
            it.node.letGo(job.id, behind: log)
            let feed = try await it.control.jobs.output(of: job, isLive: true)
            var records: [OutputRecord] = []
            for number in 0..<cuts {
                it.node.write(job.id, "after \(number)")
                while records.last?.bytes != Array("after \(number)".utf8) { records += try await feed.next() ?? [] }
                it.node.disconnect()
                it.node.connect(to: it.control)
            }
            it.node.write(job.id, .stderr, "last")
            it.node.end(job.id)
            records += try await OutputTests.collect(feed)
            var holes = StreamHoles()
            let found = records.map { holes.before($0) }.compactMap { $0 }
            #expect(found == [3..<100_003, 0..<4])
            let texts = records.map { String(decoding: $0.bytes, as: UTF8.self) }.filter { !$0.isEmpty }
            #expect(texts == ["log"] + (0..<cuts).map { "after \($0)" } + ["last"])
        }
    }

    @Test("that comes from another place than where it should is refused as damage")
    func wrongPlace() async throws {
        try await Fixture.with { it in
            let job = try await it.submit()
            let feed = try await it.control.jobs.output(of: job, isLive: true)
            guard
                case .follow(let reader, _, 0, _) = await it.node.received({
                    if case .follow = $0 { true } else { false }
                })
            else { return }
            it.control.receive(records: ByteBuffer(string: "x"), offset: 5, reader: reader)
            await #expect { _ = try await feed.next() } throws: { ($0 as? Problem)?.code == "output_damaged" }
        }
    }

    @Test("of a job that the node learns of later reaches its reader")
    func learnsLater() async throws {
        try await Fixture.with { it in
            let job = try await it.submit()
            it.node.loseEverything()
            let feed = try await it.control.jobs.output(of: job, isLive: true)
            async let collected = OutputTests.collect(feed)
            it.node.disconnect()
            it.node.forgetLog()
            it.node.connect(to: it.control)
            _ = await it.node.received { if case .start = $0 { true } else { false } }
            it.node.run(job.id)
            it.node.write(job.id, "late")
            it.node.end(job.id)
            #expect(try await collected.map { String(decoding: $0.bytes, as: UTF8.self) } == ["late"])
        }
    }

    @Test("has a bounded number of readers, of which one holder has at most a quarter")
    func bounded() async throws {
        try await Fixture.with(maximumReaders: 8) { it in
            let job = try await it.submit()
            func open(_ holder: String) async throws -> OutputFeed {
                try await it.control.jobs.output(of: job, isLive: true, holder: holder)
            }
            func isRefused(_ holder: String) async -> Bool {
                do { _ = try await open(holder) } catch { return (error as? Problem)?.code == "too_many_readers" }
                return false
            }
            let first = try await open("a")
            _ = try await open("a")
            #expect(await isRefused("a"))
            await first.close()
            _ = try await open("a")
            for holder in ["b", "b", "c", "c", "d", "d"] { _ = try await open(holder) }
            #expect(await isRefused("e"))
        }
    }

    @Test("is cut off from a reader that has not read for a minute when somebody needs its place, and not before")
    func displaced() async throws {
        try await Fixture.with(maximumReaders: 4) { it in
            let job = try await it.submit()
            it.node.write(job.id, "x")
            func open(_ holder: String) async throws -> OutputFeed {
                try await it.control.jobs.output(of: job, isLive: true, holder: holder)
            }
            let (cuts, cut) = AsyncStream.makeStream(of: String.self)
            // One that has its piece and does not come back, and one that waits for more.
            for holder in ["stalled", "waiting"] {
                let feed = try await open(holder)
                feed.onCutOff { cut.yield(holder) }
                _ = try await feed.next()
                guard holder == "waiting" else { continue }
                Task { try await feed.next() }
                while feed.reader.stalledMicroseconds(at: .max) > 0 { await Task.yield() }
            }
            for holder in ["c", "d"] { _ = try await open(holder) }
            it.clock.step(.seconds(59))
            await #expect { _ = try await open("e") } throws: { ($0 as? Problem)?.code == "too_many_readers" }
            it.clock.step(.seconds(1))
            _ = try await open("e")
            var first = cuts.makeAsyncIterator()
            #expect(await first.next() == "stalled")
            await #expect { _ = try await open("f") } throws: { ($0 as? Problem)?.code == "too_many_readers" }
        }
    }

    @Test("is cut off from a reader that has not read for an hour, as when nobody needs its place")
    func longStall() async throws {
        try await Fixture.with { it in
            await it.clock.sleeper(for: .seconds(3600))
            let job = try await it.submit()
            it.node.write(job.id, "x")
            let feed = try await it.control.jobs.output(of: job, isLive: true)
            let (cuts, cut) = AsyncStream.makeStream(of: Void.self)
            feed.onCutOff { cut.yield() }
            _ = try await feed.next()
            it.clock.step(.seconds(3600))
            var first = cuts.makeAsyncIterator()
            #expect(await first.next() != nil)
        }
    }
}
