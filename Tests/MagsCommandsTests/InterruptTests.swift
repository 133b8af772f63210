import APIDouble
import Foundation
import Testing

@testable import MagsCommands

@Suite("A signal to mags")
struct InterruptTests {
    private static let stop = "/api/v1/mags-jobs/\(MagsDouble.job)/stop"

    @Test("counts as a second wish only a while after the first")
    func burst() {
        let start = ContinuousClock.now
        var burst = SignalBurst()
        #expect(burst.take(at: start) == .end)
        #expect(burst.take(at: start + .microseconds(3)) == .echo)
        #expect(burst.take(at: start + .milliseconds(499)) == .echo)
        #expect(burst.take(at: start + .milliseconds(500)) == .leaveAtOnce)
        #expect(burst.take(at: start + .seconds(60)) == .leaveAtOnce)
    }

    @Test("that comes twice at once, as from timeout, still stops the job")
    func twice() async throws {
        try await Session.with(MagsDouble.Part([(1, Array("ready".utf8))], hasEnd: false)) { session in
            let process = try session.start("run", "sleep infinity")
            #expect(try await process.read(5) == Data("ready".utf8))
            kill(process.process.processIdentifier, SIGTERM)
            kill(process.process.processIdentifier, SIGINT)
            let result = try await process.result()
            #expect([130, 143].contains(result.exitCode))
            #expect(result.err.contains("is stopped"))
            #expect(session.double.count("POST", InterruptTests.stop) == 1)
        }
    }

    @Test("stops the job also while nobody takes its output")
    func pausedReader() async throws {
        let piece: (kind: UInt8, payload: [UInt8]) = (1, [UInt8](repeating: 120, count: 1 << 20))
        try await Session.with(MagsDouble.Part([piece, piece], hasEnd: false)) { session in
            let process = try session.start("run", "yes")
            #expect(try await process.read(1) == Data("x".utf8))
            process.process.interrupt()
            let result = try await process.result(readsOutput: false)
            #expect(result.exitCode == 130)
            #expect(session.double.count("POST", InterruptTests.stop) == 1)
        }
    }

    @Test("while the job has no id yet is answered, and the job stopped when it has one", arguments: [true, false])
    func submitting(detached: Bool) async throws {
        try await Session.with(MagsDouble.Part(hasEnd: false)) { session in
            session.double.server.hold { $0.path == "/api/v1/mags-jobs" }
            let terminal = try Terminal()
            let process = try MagsProcess(
                ["run", "sleep 9"] + (detached ? ["-d"] : []), environment: session.environment, terminal: terminal.far)
            try terminal.far.close()
            _ = await session.double.server.request { $0.path == "/api/v1/mags-jobs" }
            process.process.interrupt()
            #expect(await terminal.read(until: "leaves at once").contains("waiting for the job's id"))
            session.double.server.release()
            #expect(await terminal.read(until: "is stopped").contains("job \(MagsDouble.job) is stopped"))
            let result = try await process.result()
            #expect(result.exitCode == 130)
            #expect(result.out.isEmpty)
            #expect(session.double.count("POST", InterruptTests.stop) == 1)
        }
    }

    @Test("is a document too when JSON was asked for")
    func documents() async throws {
        try await Session.with(MagsDouble.Part(hasEnd: false)) { session in
            let run = try session.start("run", "--json", "sleep 9")
            _ = await session.double.server.request { $0.path.hasSuffix("/output") }
            run.process.interrupt()
            let ran = try await run.result()
            #expect(ran.exitCode == 130)
            #expect(ran.json?["code"] as? String == "interrupted")
            #expect((ran.json?["error"] as? String)?.contains(MagsDouble.job) == true)
            #expect(ran.json?["request_id"] as? String == MagsDouble.job)
            #expect(ran.json?["command_exit_code"] as? Int == 130)
            #expect(ran.json?["status"] != nil && ran.json?["stdout"] != nil)

            session.double.server.hold { $0.path.hasSuffix("/a%20name/status") }
            let status = try session.start("status", "--json", "a name")
            _ = await session.double.server.request { $0.path.hasSuffix("/a%20name/status") }
            status.process.terminate()
            let asked = try await status.result()
            #expect(asked.exitCode == 143)
            #expect(asked.json?["code"] as? String == "interrupted")
            session.double.server.release()
        }
    }
}
