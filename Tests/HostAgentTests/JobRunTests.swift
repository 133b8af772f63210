import Foundation
import GuestWire
import HostSystem
import Logging
import MagsModel
import NIOPosix
import NodeWire
import Synchronization
import Testing

@testable import HostAgent
@testable import Machines

@Suite("A job's guest")
struct JobRunTests {
    private let folder: TemporaryFolder
    private let id = JobID.random()

    init() throws { folder = try TemporaryFolder() }

    private var clock: JobClock { JobClock(eventLoop: MultiThreadedEventLoopGroup.singleton.next(), release: { _ in }) }

    private func make(
        life: JobLife = JobLife(), journal: JobJournal? = nil, debug: Bool = false
    ) throws -> JobRun {
        var logger = Logger(label: "job-run-test") { _ in SwiftLogNoOpLogHandler() }
        if debug { logger.logLevel = .debug }
        return try JobRun(
            id: id, files: JobFiles(home: folder.path), life: life, journal: journal, scheduler: clock, logger: logger,
            report: { _ in })
    }

    private func running() throws -> JobRun {
        let run = try make()
        try run.begin(Sample.candidate(received: 40), timeoutSeconds: 3600)
        run.apply(.claimed)
        return run
    }

    /// Gives the guest's frames one behind the other.
    private func give(_ frames: [Frame], to run: JobRun) {
        for frame in frames {
            run.take(.frame(frame, position: run.output.progress.received + UInt64(frame.wireSize)))
        }
        run.take(.caughtUp(position: run.output.progress.received))
    }

    private static let started = Frame(.started, stream: 1, payload: [9, 0, 0, 0])

    @Test(
        "ends its machine as lost, with the reason, by a frame that no honest guest sends",
        arguments: [
            Frame(.pong), Frame(.pong, stream: 1), Reply(request: 1).frame(), Hello().frame(),
            Claimed(nonce: [UInt8](repeating: 3, count: 16)).frame(), Frame(.stdinCredit, stream: 1),
            Frame(.stdout, stream: 2, payload: [1]), Frame(.stdout, stream: 1), Frame(.stderr, stream: 1), started,
            Frame(.exited, stream: 1), Exit(code: 0, stdoutCount: 5, stderrCount: 0).frame(stream: 1),
        ])
    func nonsense(frame: Frame) throws {
        let run = try running()
        give([JobRunTests.started], to: run)
        #expect(run.lifeState == .running)
        give([frame], to: run)
        guard case .ended(let outcome) = run.lifeState else {
            Issue.record("goes on after \(frame)")
            return
        }
        #expect(outcome.code == "machine_lost")
        #expect(outcome.exitCode == nil)
        #expect(outcome.message?.contains("..") == false)
        // What comes behind it changes nothing.
        give([Frame(.stdout, stream: 1, payload: [1, 2, 3])], to: run)
        #expect(run.output.progress.stdoutCount == 0)
    }

    @Test("that ignores its credit ends as a lost machine, and the text says why")
    func ignoresCredit() throws {
        let run = try running()
        give([JobRunTests.started], to: run)
        let frame = Frame(.stdout, stream: 1, payload: [UInt8](repeating: 7, count: Frame.maximumPayload))
        let count = Int(Credit.window) / Frame.maximumPayload + 1
        give([Frame](repeating: frame, count: count), to: run)
        guard case .ended(let outcome) = run.lifeState else {
            Issue.record("goes on")
            return
        }
        #expect(outcome.code == "machine_lost")
        #expect(try #require(outcome.message).contains("more standard output than it was allowed"))
        // What it was allowed is kept.
        #expect(run.output.progress.stdoutCount == UInt64(Credit.window))
    }

    @Test("cannot start its script twice, also not across a crash of the host agent")
    func startsOnce() throws {
        give([JobRunTests.started], to: try running())
        guard case .present(let journal) = JobFiles(home: folder.path).journal(id) else {
            Issue.record("no journal")
            return
        }
        let resumed = try make(life: JobLife(resumed: nil), journal: journal)
        #expect(resumed.output.progress.hasStarted)
        give([JobRunTests.started], to: resumed)
        guard case .ended(let outcome) = resumed.lifeState else {
            Issue.record("started again")
            return
        }
        #expect(try #require(outcome.message).contains("a second time"))
    }

    @Test("has its journal say where the wire stood, so that a crash before its first frame loses nothing")
    func position() throws {
        _ = try running()
        guard case .present(let journal) = JobFiles(home: folder.path).journal(id) else {
            Issue.record("no journal")
            return
        }
        #expect(journal.received == 40)
    }

    @Test("gets nothing once the job was stopped: no journal, no script")
    func stoppedBefore() throws {
        let run = try make()
        run.stop()
        #expect(throws: CancellationError.self) {
            try run.begin(Sample.candidate(received: 0), timeoutSeconds: 60)
        }
        guard case .missing = JobFiles(home: folder.path).journal(id) else {
            Issue.record("it has a journal")
            return
        }
        #expect(run.lifeState == .ended(JobOutcome(cause: .stopped)))
    }

    @Test("is asked no more than once for its end when it sends many in one piece")
    func endsOnce() throws {
        let run = try running()
        let exit = Exit(code: 3, stdoutCount: 2, stderrCount: 0).frame(stream: 1)
        give(
            [JobRunTests.started, Frame(.stdout, stream: 1, payload: [1, 2]), exit, exit, JobRunTests.started], to: run)
        guard case .ended(let outcome) = run.lifeState else {
            Issue.record("not ended")
            return
        }
        #expect((outcome.cause, outcome.exitCode) == (.exited, 3))
        #expect(try Spool(folder: JobFiles(home: folder.path).path(id)).progress.stdoutCount == 2)
    }

    @Test("that waits when the server is stopped reports no end, and comes again: nothing of it says that it ran")
    func leftWaiting() throws {
        let reports = Mutex(0)
        let run = try JobRun(
            id: id, files: JobFiles(home: folder.path), scheduler: clock,
            logger: Logger(label: "job-run-test") { _ in SwiftLogNoOpLogHandler() },
            report: { _ in reports.withLock { $0 += 1 } })
        run.endWithServer()
        run.fail(Problem(503, "shutting_down", "The host is being stopped."))
        #expect(throws: CancellationError.self) {
            try run.begin(Sample.candidate(received: 40), timeoutSeconds: 3600)
        }
        #expect(run.lifeState == .left)
        #expect(reports.withLock { $0 } == 0)
        guard case .missing = JobFiles(home: folder.path).journal(id) else {
            Issue.record("has a journal")
            return
        }
    }

    @Test("that has the script when the server is stopped ends, since it may have begun")
    func endsWithScript() throws {
        let run = try make()
        try run.begin(Sample.candidate(received: 40), timeoutSeconds: 3600)
        run.endWithServer()
        guard case .ended(let outcome) = run.lifeState else {
            Issue.record("not ended")
            return
        }
        #expect(outcome.code == "server_stopped")
    }
}

enum Sample {
    static func candidate(received: UInt64) -> MachineCandidate {
        let record = MachineRecord(
            id: MachineID("vm-0123456789ab"), pid: 1, startTime: 1, slot: 1, key: [UInt8](repeating: 7, count: 16),
            accelerator: .tcg, image: "standard", imageDigest: "0123456789abcdef",
            size: MachineSize(memoryMebibytes: 1024, processors: 1), diskGigabytes: nil)
        return MachineCandidate(record: record, received: received)
    }
}

extension JobRun {
    /// As its machine hands on what the guest says.
    func take(_ event: GuestEvent) {
        do {
            switch event {
            case .lost(let loss): throw loss
            case .frame(let frame, let position): try handle(frame, position: position)
            case .caughtUp(let position): try commit(upTo: position)
            }
        } catch {
            lost(JobRun.reason(error))
        }
    }
}
