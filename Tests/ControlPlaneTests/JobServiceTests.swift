import Foundation
import MagsModel
import NodeWire
import Store
import Synchronization
import Testing

@testable import ControlPlane

@Suite("Jobs")
struct JobServiceTests {
    @Test("go to the node with all they need, and from pending over running to their end")
    func runs() async throws {
        try await Fixture.with { it in
            let job = try await it.submit("echo $A") { submission in
                submission.environment = ["A": "secret", "__MAGS_MEM_GB": "2"]
                submission.timeoutSeconds = 9
                submission.processors = 2
                submission.diskGigabytes = 3
            }
            #expect(job.state == .pending)
            #expect(job.name == "job-\(job.id.text.prefix(8))")
            guard case .start(let sent) = await it.node.received({ if case .start = $0 { true } else { false } }) else {
                return
            }
            #expect(sent.id == job.id)
            #expect(sent.environment == ["A": "secret"])
            #expect(sent.timeoutSeconds == 9)
            #expect((sent.processors, sent.memoryMebibytes, sent.diskGigabytes) == (2, 2048, 3))
            it.node.run(job.id)
            it.node.end(job.id, JobOutcome(cause: .exited, exitCode: 3, durationMilliseconds: 5))
            let ended = try #require(try await it.control.jobs.ended(job.id))
            #expect(ended.state == .error)
            #expect(ended.end?.outcome.exitCode == 3)
            #expect(ended.machine?.id == MachineID("vm-\(job.id.text.prefix(4))"))
            _ = await it.node.received { if case .settle(job.id) = $0 { true } else { false } }
        }
    }

    @Test("keep their environment sealed in the store")
    func sealed() async throws {
        try await Fixture.with { it in
            let job = try await it.submit { $0.environment = ["PASSWORD": "opensesame"] }
            let kept = try #require(try await it.store.payload(of: job.id)).sealedEnvironment
            #expect(kept.count > 30)
            let text = String(decoding: kept, as: UTF8.self)
            #expect(!text.contains("PASSWORD") && !text.contains("opensesame"))
            let mode = try FileManager.default.attributesOfItem(atPath: "\(it.folder)/seal.key")[.posixPermissions]
            #expect(mode as? Int == 0o600)
        }
    }

    @Test("are found by id, name and workspace, by their owner only")
    func found() async throws {
        try await Fixture.with { it in
            let job = try await it.submit {
                $0.name = "nightly"
                $0.workspaceID = "shop"
            }
            for text in [job.id.text, "nightly", "shop"] {
                #expect(try await it.control.jobs.find(text, of: .administrator).id == job.id)
            }
            let other = Owner(user: "other", organisation: "default")
            await #expect { try await it.control.jobs.find("nightly", of: other) } throws: { error in
                (error as? Problem)?.code == "job_not_found"
            }
        }
    }

    @Test("that were accepted without a connection are sent when there is one")
    func sentLater() async throws {
        try await Fixture.with(isConnected: false) { it in
            let job = try await it.submit { $0.environment = ["A": "b"] }
            it.node.connect(to: it.control)
            guard case .start(let sent) = await it.node.received({ if case .start = $0 { true } else { false } }) else {
                return
            }
            #expect(sent.id == job.id)
            #expect(sent.environment == ["A": "b"])
        }
    }

    @Test("that ran on a node which knows them no more end as machine_lost; those that waited are sent again")
    func lost() async throws {
        try await Fixture.with { it in
            let (ran, waited) = (try await it.submit(), try await it.submit())
            it.node.run(ran.id)
            while try await it.store.job(ran.id)?.state != .running { await Task.yield() }
            it.node.disconnect()
            it.node.loseEverything()
            it.node.forgetLog()
            it.node.connect(to: it.control)
            let ended = try #require(try await it.control.jobs.ended(ran.id))
            #expect(ended.end?.outcome.code == "machine_lost")
            #expect(ended.state == .error)
            guard case .start(let again) = await it.node.received({ if case .start = $0 { true } else { false } })
            else { return }
            #expect(again.id == waited.id)
        }
    }

    @Test("that ended while the connection was lost are brought to their end after it, once")
    func endedMeanwhile() async throws {
        try await Fixture.with { it in
            let job = try await it.submit()
            it.node.run(job.id)
            it.node.disconnect()
            it.node.end(job.id, JobOutcome(cause: .timedOut, exitCode: 124))
            it.node.connect(to: it.control)
            let ended = try #require(try await it.control.jobs.ended(job.id))
            #expect(ended.end?.outcome == JobOutcome(cause: .timedOut, exitCode: 124))
            _ = await it.node.received { if case .settle(job.id) = $0 { true } else { false } }
            #expect(it.node.state.withLock { $0.jobs[job.id]?.isSettled } == true)
        }
    }

    @Test("of a server that was started again go on where the store left them")
    func restarted() async throws {
        let store = MemoryStore()
        let old = JobRecord(
            id: .random(), owner: .administrator, name: "old", createdAt: 1, state: .running,
            machine: MachineRecord(id: MachineID("vm"), accelerator: "tcg", image: "i", startedAt: 1))
        try await store.insert(old, JobPayload(script: "sleep 1"))
        try await Fixture.with(store: store) { it in
            let ended = try #require(try await it.control.jobs.ended(old.id))
            #expect(ended.end?.outcome.code == "machine_lost")
        }
    }

    @Test("that nobody keeps any more are taken from the node")
    func unknown() async throws {
        try await Fixture.with { it in
            let id = JobID.random()
            it.node.state.withLock { state in
                state.jobs[id] = SmallNode.Job(
                    assignment: JobAssignment(id: id, script: "", environment: [:], timeoutSeconds: 1))
            }
            it.node.disconnect()
            it.node.connect(to: it.control)
            _ = await it.node.received { if case .forget(id) = $0 { true } else { false } }
        }
    }

    @Test("are stopped: stop returns with the job's end, and a second one changes nothing")
    func stops() async throws {
        try await Fixture.with { it in
            let job = try await it.submit { $0.name = "server" }
            it.node.run(job.id)
            let stopped = try await it.control.jobs.stop("server", of: .administrator)
            #expect(stopped.state == .stopped)
            #expect(try await it.control.jobs.stop(job.id.text, of: .administrator).end == stopped.end)
        }
    }

    @Test("that were stopped without a connection never start")
    func stopsLater() async throws {
        try await Fixture.with(isConnected: false) { it in
            let job = try await it.submit()
            let stopping = Task { try await it.control.jobs.stop(job.id.text, of: .administrator) }
            await it.clock.sleeper(for: .seconds(20))
            it.clock.step(.seconds(20))
            await #expect { _ = try await stopping.value } throws: { ($0 as? Problem)?.code == "stop_unconfirmed" }
            it.node.connect(to: it.control)
            let ended = try #require(try await it.control.jobs.ended(job.id))
            #expect(ended.state == .stopped)
            let started = it.node.state.withLock { $0.log.contains { if case .start = $0 { true } else { false } } }
            #expect(!started)
        }
    }

    @Test("are removed with their output 30 days after their end")
    func retention() async throws {
        try await Fixture.with { it in
            let job = try await it.submit()
            it.node.end(job.id)
            _ = try await it.control.jobs.ended(job.id)
            await it.clock.sleeper(for: .seconds(3600))
            it.clock.step(.seconds(29 * 24 * 3600))
            await it.clock.sleeper(for: .seconds(3600))
            #expect(try await it.store.job(job.id) != nil)
            it.clock.step(.seconds(24 * 3600 + 1))
            _ = await it.node.received { if case .forget(job.id) = $0 { true } else { false } }
            await it.clock.sleeper(for: .seconds(3600))
            #expect(try await it.store.job(job.id) == nil)
        }
    }

    @Test("are kept until the node has surely heard that their output can go")
    func retentionOverALostConnection() async throws {
        try await Fixture.with { it in
            let job = try await it.submit()
            it.node.end(job.id)
            _ = try await it.control.jobs.ended(job.id)
            // The control plane's own sweep leaves jobs alone without a connection.
            it.node.disconnect()
            while it.control.isConnected { await Task.yield() }
            it.clock.step(.seconds(30 * 24 * 3600 + 1))
            let node = ForgetfulNode()
            let retention = Retention(
                store: it.store, files: it.control.files, node: node, questions: node.questions, clock: it.clock.clock)
            await #expect { try await retention.sweep(true) } throws: { ($0 as? Problem) == .nodeUnavailable }
            #expect(try await it.store.job(job.id) != nil)
            node.state.withLock { $0.isThere = true }
            try await retention.sweep(true)
            #expect(node.state.withLock { $0.forgotten } == [job.id])
            #expect(try await it.store.job(job.id) == nil)
        }
    }
}

/// A node whose connection breaks at each question until it is there.
private final class ForgetfulNode: Node {
    struct State {
        var isThere = false
        var forgotten: [JobID] = []
        var questions: NodeQuestions?
    }

    let state = Mutex(State())
    var questions: NodeQuestions {
        state.withLock { state in
            let questions = state.questions ?? NodeQuestions(node: self, clock: .system)
            state.questions = questions
            return questions
        }
    }

    func send(_ assignment: Assignment) async {
        let isThere = state.withLock { $0.isThere }
        switch assignment {
        case .forget(let id) where isThere: state.withLock { $0.forgotten.append(id) }
        case .pool(let request) where isThere:
            let status = PoolStatus(idle: 0, busy: 0, warming: 0, restingSize: 0, waiting: 0)
            questions.answer(request, .pool(request: request, status))
        case .pool: questions.connectionLost()
        default: break
        }
    }
}
