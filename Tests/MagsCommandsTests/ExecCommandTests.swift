import APIDouble
import Foundation
import Testing

@Suite("mags exec")
struct ExecCommandTests {
    private static let stop = "/api/v1/mags-jobs/\(MagsDouble.job)/execs/\(MagsDouble.exec)/stop"

    @Test("keeps the two streams apart, byte for byte, across a lost connection, and hands the exit code on")
    func streams() async throws {
        let out: [UInt8] = [0, 255, 10, 13, 7, 128]
        let part = MagsDouble.Part(
            [(1, out), (2, [1, 254]), (1, out)], status: ["exit_code": 7], cuts: [8, 20])
        try await Session.with(part) { session in
            let result = try await session.mags("exec", "a name", "cat", "x")
            #expect(result.exitCode == 7)
            #expect(result.stdout == Data(out + out))
            #expect(result.stderr == Data([1, 254]))
            #expect(session.double.command?["command"] as? String == "cat x")
        }
    }

    @Test("takes its options before the job, and everything behind it as the command")
    func words() async throws {
        try await Session.with { session in
            let set = try await session.mags(
                "exec", "--timeout", "5", "--cwd", "/tmp", "--env", "A=b", MagsDouble.job, "ls", "-la", "--json",
                "--timeout", "9")
            #expect(set.exitCode == 0, "\(set.err)")
            #expect(set.out.isEmpty)
            let sent = session.double.command
            #expect(sent?["command"] as? String == "ls -la --json --timeout 9")
            #expect((sent?["timeout"] as? Int, sent?["cwd"] as? String) == (5, "/tmp"))
            #expect(sent?["environment"] as? [String: String] == ["A": "b"])
            #expect(try await session.mags("exec", MagsDouble.job, "--", "-x", "y").exitCode == 0)
            #expect(session.double.command?["command"] as? String == "-x y")
        }
    }

    @Test("says what is wrong with the line, and ends with 64")
    func wrongLines() async throws {
        try await Session.with { session in
            for (arguments, text) in [
                ([MagsDouble.job], "command is missing"), ([], "job"),
                ([MagsDouble.job, "--timeout", "3", "ls"], "options stand before"),
                (["--tmeout", "3", MagsDouble.job, "ls"], "--timeout"),
                (["-i", MagsDouble.job, "sh"], "not available yet"), (["--timeout", "0", "x", "ls"], "--timeout is 1"),
            ] {
                let result = try await MagsProcess.run(["exec"] + arguments, environment: session.environment)
                #expect(result.exitCode == 64, "\(arguments): \(result.err)")
                #expect(result.err.contains(text), "\(arguments): \(result.err)")
            }
            #expect(session.double.server.requests.isEmpty)
            #expect(try await session.mags("exce", "x", "ls").err.contains("Did you mean 'exec'?"))
        }
    }

    @Test("ends with 124 when the time was up, and with 125 and the reason when the command did not run")
    func endings() async throws {
        for (status, code, text): ([String: any Sendable], Int32, String) in [
            (["timed_out": true, "exit_code": 124, "error_code": "timed_out"], 124, "timed out"),
            (["exit_code": NSNull(), "error": "Its machine is gone.", "error_code": "machine_lost"], 125, "is gone"),
            (["exit_code": 143, "error": "x", "error_code": "stopped"], 125, "was stopped"),
        ] {
            try await Session.with(MagsDouble.Part(status: status)) { session in
                let result = try await session.mags("exec", MagsDouble.job, "ls")
                #expect(result.exitCode == code)
                #expect(result.err.contains(text), "\(result.err)")
            }
        }
    }

    @Test("stops the command, and not the job, on Ctrl-C and ends with 130")
    func interrupt() async throws {
        try await Session.with(MagsDouble.Part([(1, Array("ready".utf8))], hasEnd: false)) { session in
            let process = try session.start("exec", "a name", "sleep infinity")
            #expect(try await process.read(5) == Data("ready".utf8))
            process.process.interrupt()
            let result = try await process.result()
            #expect(result.exitCode == 130)
            #expect(result.err.contains("the command is stopped"))
            #expect(session.double.count("POST", ExecCommandTests.stop) == 1)
            #expect(session.double.count("POST", "/api/v1/mags-jobs/\(MagsDouble.job)/stop") == 0)
        }
    }

    @Test("stops the command when nobody reads its output any more")
    func brokenPipe() async throws {
        let piece: (kind: UInt8, payload: [UInt8]) = (1, [UInt8](repeating: 120, count: 1 << 20))
        try await Session.with(MagsDouble.Part(Array(repeating: piece, count: 4), hasEnd: false)) { session in
            let process = try session.start("exec", "a name", "yes")
            #expect(try await process.read(1) == Data("x".utf8))
            try process.hangUp()
            let result = try await process.result(readsOutput: false)
            #expect(result.exitCode == 141)
            #expect(session.double.count("POST", ExecCommandTests.stop) == 1)
        }
    }

    @Test("prints one document with --json")
    func document() async throws {
        let part = MagsDouble.Part([(1, Array("out".utf8)), (2, Array("err".utf8))], status: ["exit_code": 3])
        try await Session.with(part) { session in
            let result = try await session.mags("exec", "--json", "a name", "ls")
            #expect(result.exitCode == 3)
            #expect(result.json?["exec_id"] as? String == MagsDouble.exec)
            #expect((result.json?["stdout"] as? String, result.json?["stderr"] as? String) == ("out", "err"))
            #expect(result.json?["command_exit_code"] as? Int == 3)
        }
    }

    @Test("starts one command only, whatever happens to the answer")
    func once() async throws {
        let later = (status: 503, headers: ["Retry-After": "0"], body: "{}")
        try await Session.with(answering: [later, later]) { session in
            let result = try await session.mags("exec", "a name", "ls")
            #expect(result.exitCode == 0)
            let keys = session.double.commandKeys
            #expect(keys.count == 3)
            #expect(Set(keys).count == 1)
            #expect(!keys.contains(nil))
        }
    }
}
