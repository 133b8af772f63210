import Foundation
import Logging
import MagsModel
import NIOPosix
import NodeWire
import Testing

@testable import HostAgent
@testable import HostSystem
@testable import Machines

@Suite("A host agent that takes over")
struct RecoveryTests {
    private let home: TemporaryFolder
    private let files: JobFiles
    private let id = JobID.random()

    init() throws {
        home = try TemporaryFolder()
        files = JobFiles(home: home.path)
        try files.create(id)
        let output = try JobOutput(folder: files.path(id), now: { 1 })
        try output.keep(Array("kept".utf8), of: .stdout, received: 12)
    }

    private func make() -> HostAgent {
        let logger = Logger(label: "recovery-test") { _ in SwiftLogNoOpLogHandler() }
        let instance = Instance(name: "00000000", index: 0, uidBase: 0, subnet: 0)
        let engine = Engine(
            configuration: EngineConfiguration(
                home: home.path, cache: home.path, instance: instance, isPrivileged: false, restingPoolSize: 0),
            eventLoopGroup: .singleton, network: nil, logger: logger)
        let clock = JobClock(eventLoop: MultiThreadedEventLoopGroup.singleton.next(), release: { _ in })
        return HostAgent(
            configuration: .init(home: home.path, uploads: home.path + "/api/uploads"), engine: engine, clock: clock,
            logger: logger, diagnose: { [] })
    }

    private func outcome(_ agent: HostAgent) async -> JobOutcome? {
        guard case .ended(_, let outcome, _) = await agent.jobs[id]?.currentReport else { return nil }
        return outcome
    }

    @Test("removes what it has of a job that has no journal: it never got a machine, and comes again")
    func neverStarted() async throws {
        let agent = make()
        _ = await agent.recover()
        #expect(await agent.jobs[id] == nil)
        #expect(!files.exists(id))
    }

    @Test(
        "ends a job whose journal cannot be read, keeps its output, and never runs it again",
        arguments: ["", "{", "{\"id\":1}"])
    func unreadable(text: String) async throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: files.path(id) + "/journal.json"))
        let agent = make()
        _ = await agent.recover()
        let ended = try #require(await outcome(agent))
        #expect((ended.cause, ended.code) == (.failed, "machine_lost"))
        #expect(try JobOutput(folder: files.path(id), now: { 1 }).progress.stdoutCount == 4)
        // Also when the control plane has settled it, and asks again.
        await agent.settle(id)
        await agent.start(JobAssignment(id: id, script: "echo", environment: [:], timeoutSeconds: 1))
        #expect(await agent.jobs[id] == nil)
        #expect(files.exists(id))
    }

    @Test("tells a journal that is not there from one that cannot be opened")
    func entries() throws {
        guard case .missing = files.journal(id) else {
            Issue.record("not missing")
            return
        }
        // A folder is there, but no file that could be read.
        try FileManager.default.createDirectory(
            atPath: files.path(id) + "/journal.json", withIntermediateDirectories: false)
        guard case .unreadable = files.journal(id) else {
            Issue.record("not unreadable")
            return
        }
    }

    @Test("ends a job whose machine is gone, with all that it had written, for its readers too")
    func machineGone() async throws {
        let candidate = Sample.candidate(received: 0)
        var record = candidate.record
        // A process that cannot be the one that it was.
        (record.pid, record.startTime) = (getpid(), 1)
        try files.write(JobJournal(id: id, machine: record, received: 0, startedAt: 0, deadline: .max / 2))
        let agent = make()
        #expect(await agent.recover().isEmpty)
        let ended = try #require(await outcome(agent))
        #expect(ended.code == "machine_lost")
        let again = make()
        _ = await again.recover()
        #expect(try #require(await outcome(again)) == ended)
        let (deliveries, tell) = AsyncStream.makeStream(of: JobOutput.Delivery.self)
        await again.jobs[id]?.output.follow(JobOutput.Reader(connection: 1, number: 1), from: 0, credit: 1 << 20) {
            tell.yield($0)
            if case .end = $0 { tell.finish() }
        }
        var bytes = 0
        for await case .records(let records, _) in deliveries { bytes += records.count }
        #expect(bytes == OutputRecord.headerSize + 4)
    }

    @Test("asks all machines at the same time: one that says nothing does not keep the others waiting")
    func silentGuests() async throws {
        var children: [ChildProcess] = []
        defer { for child in children { child.signal(SIGKILL) } }
        var listeners: [HostSystem.FileDescriptor] = []
        var wires: [HostSystem.FileDescriptor] = []
        for slot in 1...2 {
            let child = try ChildProcess.spawn(ProcessSpec(program: "/bin/sleep", arguments: ["sleep", "1000"]))
            children.append(child)
            var record = Sample.candidate(received: 0).record
            (record.id, record.pid, record.startTime, record.slot) = (.random(), child.pid, child.startTime, slot)
            let machine = home.path + "/machines/" + record.id.text
            try FileManager.default.createDirectory(atPath: machine, withIntermediateDirectories: true)
            listeners.append(try UnixListener.make(at: QEMUProcess.monitorPath(in: machine)))
            wires.append(try UnixListener.make(at: QEMUProcess.wirePath(in: machine)))
            let job = JobID.random()
            try files.create(job)
            try files.write(JobJournal(id: job, machine: record, received: 0, startedAt: 0, deadline: .max / 2))
        }
        let agent = make()
        let recovery = Task { await agent.recover() }
        // Neither is answered, and the first is still waiting when the second comes.
        let sockets = listeners
        let connections = try await SystemThread.perform { sockets.map { accept($0.rawValue, nil, nil) } }
        for connection in connections {
            var buffer = [UInt8](repeating: 0, count: 4096)
            var count = 1
            while count > 0 { count = recv(connection, &buffer, buffer.count, Int32(MSG_DONTWAIT)) }
            // Open, that is; a closed one would end with 0.
            #expect(count == -1 && errno == EAGAIN)
        }
        for connection in connections { close(connection) }
        #expect(await recovery.value.isEmpty)
        withExtendedLifetime(wires) {}
    }

    @Test("removes a settled job's folder once nobody can ask for it any more")
    func old() async throws {
        for isOld in [false, true] {
            var journal = JobJournal(
                id: id, machine: Sample.candidate(received: 0).record, received: 0, startedAt: 0, deadline: 1)
            journal.isSettled = true
            try files.write(journal)
            let age = isOld ? TimeInterval((Limits.jobDays + 2) * 24 * 3600) : 24 * 3600
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSinceNow: -age)], ofItemAtPath: files.path(id))
            _ = await make().recover()
            #expect(files.exists(id) == !isOld)
        }
    }
}
