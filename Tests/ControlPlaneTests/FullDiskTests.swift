import MagsModel
import NIOCore
import NodeWire
import Store
import Synchronization
import Testing

@testable import ControlPlane

@Suite("A full disk")
struct FullDiskTests {
    @Test("that is freed again costs no job its end: the node is asked again, more and more slowly")
    func reports() async throws {
        let store = FullStore()
        try await Fixture.with(store: store) { it in
            let job = try await it.submit()
            it.node.run(job.id)
            while try await store.job(job.id)?.state != .running { await Task.yield() }
            store.fill()
            it.node.end(job.id, JobOutcome(cause: .exited, exitCode: 4))
            for seconds in [1, 2, 4, 8, 16, 30] {
                await it.clock.sleeper(for: .seconds(seconds))
                it.node.forgetLog()
                it.clock.step(.seconds(seconds))
                _ = await it.node.received { if case .inventory = $0 { true } else { false } }
            }
            #expect(try await store.job(job.id)?.state == .running)
            await it.clock.sleeper(for: .seconds(30))
            store.free()
            it.clock.step(.seconds(30))
            let ended = try #require(try await it.control.jobs.ended(job.id))
            #expect(ended.end?.outcome.exitCode == 4)
            _ = await it.node.received { if case .settle(job.id) = $0 { true } else { false } }
        }
    }

    @Test("costs no exec of an earlier process its start")
    func execs() async throws {
        let (store, node) = (FullStore(), SmallNode())
        let job = JobRecord(id: .random(), owner: .administrator, name: "a", createdAt: 1)
        let exec = ExecRecord(id: .random(), job: job.id, timeoutSeconds: 30, createdAt: 1)
        try await store.insert(job, JobPayload(script: "sleep"))
        _ = try await store.insert(exec)
        node.adopt(JobAssignment(id: exec.id, script: "ls", environment: [:], timeoutSeconds: 30, inside: job.id))
        try await Fixture.with(isConnected: false, store: store, node: node) { it in
            try await it.control.load()
            store.fill()
            it.node.run(exec.id)
            it.node.connect(to: it.control)
            await it.clock.sleeper(for: .seconds(1))
            store.free()
            it.clock.step(.seconds(1))
            while try await store.exec(exec.id)?.state != .running { await Task.yield() }
            it.node.end(exec.id)
            #expect(try await it.control.execs.ended(exec.id)?.end?.outcome.exitCode == 0)
        }
    }

    @Test("lets no exec run that is not stored, whatever is compared with the node meanwhile")
    func unstored() async throws {
        let store = FullStore()
        try await Fixture.with(store: store) { it in
            let job = try await ExecServiceTests.runningJob(it)
            let execs = it.control.execs
            store.onInsertExec {
                await execs.reconcile()
                try await execs.endReconciliation()
                store.fill()
            }
            await ExecServiceTests.expect("disk_full") { _ = try await ExecServiceTests.start(it, in: job.id.text) }
            #expect(it.node.state.withLock { Array($0.jobs.keys) } == [job.id])
            store.onInsertExec {
                await execs.reconcile()
                try await execs.endReconciliation()
            }
            store.free()
            let exec = try await ExecServiceTests.start(it, in: job.id.text)
            #expect(it.node.state.withLock { $0.jobs[exec.id] } != nil)
        }
    }

    @Test("lets known tokens in, and is not asked again for a minute")
    func tokens() async throws {
        let (store, clock) = (FullStore(), SteppingClock())
        let service = TokenService(store: store, clock: clock.clock)
        let (token, record) = try await service.create(name: "laptop")
        store.fill()
        for _ in 0..<5 { #expect(try await service.authenticate(token).id == record.id) }
        #expect(store.refusals == 1)
        clock.step(.seconds(60))
        for _ in 0..<5 { _ = try await service.authenticate(token) }
        #expect(store.refusals == 2)
    }

    @Test(
        "refuses jobs and uploads before it is quite full: below 5 % or 1 GiB, whichever is smaller",
        arguments: [(49, 1000, false), (50, 1000, true), (1023 << 20, 1 << 40, false), (1 << 30, 1 << 40, true)])
    func floor(free: Int, total: Int, isTaken: Bool) async throws {
        let measure = DiskRoom.Measure(freeBytes: UInt64(free), totalBytes: UInt64(total))
        let gauge: DiskRoom.Gauge = { _ in measure }
        try await Fixture.with(diskGauge: gauge) { it in
            let upload = try it.control.files.begin(name: "f", owner: .administrator)
            if isTaken {
                _ = try await it.submit()
                try await upload.write(ByteBuffer(string: "x"))
            } else {
                await #expect { try await it.submit() } throws: { $0 as? Problem == .diskFull }
                await #expect { try await upload.write(ByteBuffer(string: "x")) } throws: {
                    $0 as? Problem == .diskFull
                }
            }
            await upload.abandon()
        }
    }

    @Test("still lets a job be stopped, though the wish itself cannot be kept")
    func stops() async throws {
        let store = FullStore()
        try await Fixture.with(store: store) { it in
            let job = try await it.submit()
            store.fill()
            await #expect { try await it.control.jobs.stop(job.id.text, of: .administrator) } throws: {
                ($0 as? Problem)?.code == "disk_full"
            }
            _ = await it.node.received { if case .stop(job.id) = $0 { true } else { false } }
        }
    }

    @Test("is measured where the server keeps its files")
    func measured() throws {
        let measure = try #require(DiskRoom.system("/"))
        #expect(measure.totalBytes > measure.freeBytes && measure.totalBytes > 0)
        #expect(DiskRoom.system("/nowhere/at/all") == nil)
    }
}

@Suite("Jobs that wait")
struct WaitingJobsTests {
    @Test("are refused beyond a number of bytes, and taken again when some have gone")
    func bytes() throws {
        var waiting = WaitingJobs()
        let ids = (0..<4).map { _ in JobID.random() }
        for id in ids {
            try waiting.expect()
            waiting.arrived(id, size: WaitingJobs.maximumBytes / 4)
        }
        #expect { try waiting.expect() } throws: { ($0 as? Problem)?.code == "too_many_pending_bytes" }
        waiting.remove(ids[1])
        waiting.remove(ids[1])
        try waiting.expect()
    }

    @Test("count from their submission on, and no more once it was refused")
    func number() throws {
        var waiting = WaitingJobs()
        for _ in 0..<Limits.pendingJobs { try waiting.expect() }
        #expect { try waiting.expect() } throws: { ($0 as? Problem)?.code == "too_many_pending_jobs" }
        waiting.turnedAway()
        try waiting.expect()
    }
}
