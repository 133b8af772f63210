import MagsModel
import NodeWire
import Store
import Synchronization
import Testing

@testable import ControlPlane

@Suite("Execs")
struct ExecServiceTests {
    /// A job that runs.
    static func runningJob(
        _ it: Fixture, _ change: @Sendable (inout Submission) -> Void = { _ in }
    ) async throws -> JobRecord {
        let job = try await it.submit("sleep infinity", change)
        it.node.run(job.id)
        while try await it.store.job(job.id)?.state != .running { await Task.yield() }
        return job
    }

    static func start(
        _ it: Fixture, in job: String, _ command: String = "ls", _ change: (inout ExecOrder) -> Void = { _ in }
    ) async throws -> ExecRecord {
        var order = ExecOrder(owner: .administrator, job: job, command: command)
        change(&order)
        return try await it.control.execs.start(order)
    }

    static func started(_ id: JobID, on node: SmallNode) async -> JobAssignment? {
        let wanted = await node.received { if case .start(let sent) = $0 { sent.id == id } else { false } }
        guard case .start(let sent) = wanted else { return nil }
        return sent
    }

    static func expect(_ code: String, _ body: () async throws -> Void) async {
        await #expect { try await body() } throws: { ($0 as? Problem)?.code == code }
    }

    @Test("go into the job's machine with its environment, and from pending over running to their end")
    func runs() async throws {
        try await Fixture.with { it in
            let job = try await ExecServiceTests.runningJob(it) {
                $0.name = "web"
                $0.environment = ["A": "job", "B": "job"]
            }
            let exec = try await ExecServiceTests.start(it, in: "web", "env") {
                $0.environment = ["B": "exec"]
                $0.directory = "/tmp"
                $0.timeoutSeconds = 9
            }
            #expect((exec.job, exec.state) == (job.id, .pending))
            let sent = try #require(await ExecServiceTests.started(exec.id, on: it.node))
            #expect((sent.inside, sent.script, sent.directory, sent.timeoutSeconds) == (job.id, "env", "/tmp", 9))
            #expect(sent.environment == ["A": "job", "B": "exec"])
            it.node.run(exec.id)
            it.node.end(exec.id, JobOutcome(cause: .exited, exitCode: 3))
            let ended = try #require(try await it.control.execs.ended(exec.id))
            #expect((ended.state, ended.end?.outcome.exitCode) == (.ended, 3))
            #expect(ended.startedAt == 1_700_000_000_000_000)
            _ = await it.node.received { if case .settle(exec.id) = $0 { true } else { false } }
            #expect(try await it.store.job(job.id)?.state == .running)
        }
    }

    @Test("are refused where no machine runs, and without a connection")
    func refused() async throws {
        try await Fixture.with { it in
            let job = try await it.submit()
            await ExecServiceTests.expect("machine_not_running") {
                _ = try await ExecServiceTests.start(it, in: job.id.text)
            }
            await ExecServiceTests.expect("job_not_found") { _ = try await ExecServiceTests.start(it, in: "none") }
            let living = try await ExecServiceTests.runningJob(it)
            it.node.end(job.id)
            _ = try await it.control.jobs.ended(job.id)
            await ExecServiceTests.expect("machine_not_running") {
                _ = try await ExecServiceTests.start(it, in: job.id.text)
            }
            it.node.disconnect()
            while it.control.isConnected { await Task.yield() }
            await ExecServiceTests.expect("node_unavailable") {
                _ = try await ExecServiceTests.start(it, in: living.id.text)
            }
        }
    }

    @Test("keep to rules")
    func rules() throws {
        func order(_ change: (inout ExecOrder) -> Void) -> ExecOrder {
            var order = ExecOrder(owner: .administrator, job: "x", command: "ls")
            change(&order)
            return order
        }
        try order { $0.directory = "/" }.check()
        for wrong in [
            order { $0.command = " \n" }, order { $0.command = "a\0b" },
            order { $0.command = String(repeating: "x", count: 1 << 20 + 1) }, order { $0.timeoutSeconds = 0 },
            order { $0.timeoutSeconds = Limits.maximumTimeoutSeconds + 1 }, order { $0.directory = "tmp" },
            order { $0.directory = "/a\0" }, order { $0.directory = "/" + String(repeating: "x", count: 4096) },
            order { $0.environment = ["A=": ""] }, order { $0.environment = ["__MAGS_MEM_GB": "2"] },
            order { $0.key = "" },
        ] {
            #expect { try wrong.check() } throws: { ($0 as? Problem)?.code == "invalid_field" }
        }
    }

    @Test("are one exec under one key, and no other request is taken under it")
    func keys() async throws {
        try await Fixture.with { it in
            let job = try await ExecServiceTests.runningJob(it)
            let first = try await ExecServiceTests.start(it, in: job.id.text) { $0.key = "k" }
            #expect(try await ExecServiceTests.start(it, in: job.id.text) { $0.key = "k" }.id == first.id)
            await ExecServiceTests.expect("idempotency_key_reused") {
                _ = try await ExecServiceTests.start(it, in: job.id.text, "rm") { $0.key = "k" }
            }
            it.node.end(job.id)
            _ = try await it.control.jobs.ended(job.id)
            #expect(try await ExecServiceTests.start(it, in: job.id.text) { $0.key = "k" }.id == first.id)
            #expect(it.node.state.withLock { $0.jobs.count } == 2)
        }
    }

    @Test("are at most so many in a machine at once")
    func bounded() async throws {
        try await Fixture.with { it in
            let job = try await ExecServiceTests.runningJob(it)
            var last: ExecRecord?
            for _ in 0..<Limits.execsPerJob { last = try await ExecServiceTests.start(it, in: job.id.text) }
            await ExecServiceTests.expect("too_many_execs") {
                _ = try await ExecServiceTests.start(it, in: job.id.text)
            }
            let ending = try #require(last)
            it.node.end(ending.id)
            _ = try await it.control.execs.ended(ending.id)
            _ = try await ExecServiceTests.start(it, in: job.id.text)
        }
    }

    @Test("are stopped without their job")
    func stops() async throws {
        try await Fixture.with { it in
            let job = try await ExecServiceTests.runningJob(it)
            let exec = try await ExecServiceTests.start(it, in: job.id.text)
            it.node.run(exec.id)
            for _ in 0..<2 {
                #expect(try await it.control.execs.stop(exec).end?.outcome.cause == .stopped)
            }
            #expect(try await it.store.job(job.id)?.state == .running)
            #expect(
                try await it.control.execs.find(exec.id.text, in: job.id.text, of: .administrator).state == .ended)
            let other = try await ExecServiceTests.runningJob(it)
            await ExecServiceTests.expect("exec_not_found") {
                _ = try await it.control.execs.find(exec.id.text, in: other.id.text, of: .administrator)
            }
        }
    }

    @Test("are stopped when the connection is back, if it was lost when somebody wanted that")
    func stoppedLater() async throws {
        try await Fixture.with { it in
            let job = try await ExecServiceTests.runningJob(it)
            let exec = try await ExecServiceTests.start(it, in: job.id.text)
            it.node.run(exec.id)
            it.node.disconnect()
            async let stopped = it.control.execs.stop(exec)
            await it.clock.sleeper(for: JobService.stopLimit)
            it.node.connect(to: it.control)
            #expect(try await stopped.end?.outcome.cause == .stopped)
        }
    }

    @Test("that ran on a node which knows them no more are lost; those that had not begun are sent again, in time")
    func lost() async throws {
        try await Fixture.with { it in
            let job = try await ExecServiceTests.runningJob(it)
            let ran = try await ExecServiceTests.start(it, in: job.id.text)
            let waited = try await ExecServiceTests.start(it, in: job.id.text) { $0.timeoutSeconds = 600 }
            let late = try await ExecServiceTests.start(it, in: job.id.text) { $0.timeoutSeconds = 1 }
            it.node.run(ran.id)
            while try await it.store.exec(ran.id)?.state != .running { await Task.yield() }
            #expect(await !it.control.execs.isUnsure(of: ran))
            it.node.disconnect()
            while it.control.isConnected { await Task.yield() }
            #expect(await it.control.execs.isUnsure(of: ran))
            for id in [ran.id, waited.id, late.id] { it.node.lose(id) }
            it.clock.step(.seconds(2))
            it.node.forgetLog()
            it.node.connect(to: it.control)
            #expect(try await it.control.execs.ended(ran.id)?.end?.outcome.code == "machine_lost")
            #expect(try await it.control.execs.ended(late.id)?.end?.outcome.code == "never_ran")
            #expect(await ExecServiceTests.started(waited.id, on: it.node)?.script == "ls")
            #expect(await !it.control.execs.isUnsure(of: waited))
        }
    }

    @Test("go on over a restart of the server, and end while it is away")
    func restarted() async throws {
        let (store, node) = (MemoryStore(), SmallNode())
        let ids = Ids()
        try await Fixture.with(store: store, node: node) { it in
            let job = try await ExecServiceTests.runningJob(it)
            let (ends, waits) = (
                try await ExecServiceTests.start(it, in: job.id.text),
                try await ExecServiceTests.start(it, in: job.id.text)
            )
            node.run(ends.id)
            while await store.exec(ends.id)?.state != .running { await Task.yield() }
            node.disconnect()
            await ids.keep([job.id, ends.id, waits.id])
        }
        let kept = await ids.kept
        node.end(kept[1])
        node.lose(kept[2])
        try await Fixture.with(isConnected: false, store: store, node: node) { it in
            try await it.control.load()
            node.connect(to: it.control)
            #expect(try await it.control.execs.ended(kept[1])?.end?.outcome.exitCode == 0)
            // What it was to run is not kept over a restart.
            #expect(try await it.control.execs.ended(kept[2])?.end?.outcome.code == "never_ran")
            _ = await node.received { if case .settle(kept[1]) = $0 { true } else { false } }
            // A report that comes again finds the end stored, and leaves the output alone.
            node.forgetLog()
            it.control.receive(.ended(kept[1], JobOutcome(cause: .exited, exitCode: 0), nil))
            _ = await node.received { if case .settle(kept[1]) = $0 { true } else { false } }
            #expect(node.state.withLock { $0.jobs[kept[1]] } != nil)
        }
    }

    @Test("are kept for an hour behind their end, and forgotten on the node then")
    func retention() async throws {
        try await Fixture.with { it in
            let job = try await ExecServiceTests.runningJob(it)
            let exec = try await ExecServiceTests.start(it, in: job.id.text)
            it.node.end(exec.id)
            _ = try await it.control.execs.ended(exec.id)
            await it.clock.sleeper(for: .seconds(300))
            it.clock.step(.seconds(3600))
            await it.clock.sleeper(for: .seconds(300))
            #expect(try await it.store.exec(exec.id) != nil)
            it.clock.step(.seconds(300))
            _ = await it.node.received { if case .forget(exec.id) = $0 { true } else { false } }
            while try await it.store.exec(exec.id) != nil { await Task.yield() }
        }
    }

    @Test("hand all their output to who runs them, however fast they end")
    func output() async throws {
        let node = SmallNode { node, sent in
            guard sent.inside != nil else { return }
            node.run(sent.id)
            node.write(sent.id, "out")
            node.end(sent.id)
        }
        try await Fixture.with(node: node) { it in
            let job = try await ExecServiceTests.runningJob(it)
            for key in ["k", "k", "l"] {
                var order = ExecOrder(owner: .administrator, job: job.id.text, command: "ls")
                order.key = key
                let (exec, feed) = try await it.control.execs.run(order, holder: "")
                var bytes: [UInt8] = []
                while let records = try await feed.next() { bytes += records.flatMap(\.bytes) }
                await feed.close()
                #expect(bytes == Array("out".utf8))
                #expect(try await it.control.execs.ended(exec.id)?.end?.outcome.exitCode == 0)
            }
        }
    }
}

private actor Ids {
    private(set) var kept: [JobID] = []
    func keep(_ ids: [JobID]) { kept = ids }
}
