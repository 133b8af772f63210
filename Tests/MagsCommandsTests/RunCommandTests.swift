import APIDouble
import Foundation
import Testing

@Suite("mags run")
struct RunCommandTests {
    @Test("keeps the two streams apart, byte for byte, and says nothing of its own")
    func streams() async throws {
        let out: [UInt8] = [0, 255, 10, 13, 7, 128]
        let part = MagsDouble.Part([(1, out), (2, [1, 254]), (3, Array("taken".utf8)), (1, out)])
        try await Session.with(part) { session in
            let result = try await session.mags("run", "whatever")
            #expect(result.exitCode == 0)
            #expect(result.stdout == Data(out + out))
            #expect(result.stderr == Data([1, 254]))
            #expect(session.double.submission?["script"] as? String == "whatever")
        }
    }

    @Test("loses nothing of a long output")
    func longOutput() async throws {
        let piece = [UInt8]((0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        let part = MagsDouble.Part(Array(repeating: (1, piece), count: 8), cuts: [1_000_000, 765_432])
        try await Session.with(part) { session in
            let result = try await session.mags("run", "long")
            #expect(result.exitCode == 0)
            #expect(result.stdout == Data(Array(repeating: piece, count: 8).joined()))
        }
    }

    @Test("ends with the script's exit code", arguments: [1, 2, 3, 125, 126, 137, 255])
    func exitCode(code: Int) async throws {
        let status: [String: any Sendable] = ["exit_code": code, "status": "error", "script_status": "error"]
        try await Session.with(MagsDouble.Part(status: status)) { session in
            let result = try await session.mags("run", "exit")
            #expect(result.exitCode == Int32(code))
            #expect(result.err.isEmpty)
        }
    }

    @Test("ends with 124 and says so when the time was up")
    func timedOut() async throws {
        let status: [String: any Sendable] = [
            "exit_code": 124, "status": "error", "script_status": "error", "error": "timed out after 60 s",
            "error_code": "timed_out",
        ]
        try await Session.with(MagsDouble.Part(status: status)) { session in
            let result = try await session.mags("run", "--timeout", "60", "sleep 99")
            #expect(result.exitCode == 124)
            #expect(result.err.contains("timed out"))
            #expect(session.double.submission?["timeout"] as? Int == 60)
        }
    }

    @Test("ends with 125 and the reason when the job never ran")
    func neverRan() async throws {
        let status: [String: any Sendable] = [
            "exit_code": NSNull(), "status": "error", "script_status": "error", "error": "no memory left",
        ]
        try await Session.with(MagsDouble.Part(status: status)) { session in
            let result = try await session.mags("run", "true")
            #expect(result.exitCode == 125)
            #expect(result.err.contains("no memory left"))
        }
    }

    @Test("ends with 125 when somebody else stopped the job")
    func stopped() async throws {
        for code: any Sendable in [NSNull(), 143, 3, 0] as [any Sendable] {
            let status: [String: any Sendable] = ["exit_code": code, "status": "stopped", "script_status": "stopped"]
            try await Session.with(MagsDouble.Part(status: status)) { session in
                let result = try await session.mags("run", "true")
                #expect(result.exitCode == 125)
                #expect(result.err.contains("was stopped"))
            }
        }
    }

    @Test("stops the job on Ctrl-C and ends with 130")
    func interrupt() async throws {
        try await Session.with(MagsDouble.Part([(1, Array("ready".utf8))], hasEnd: false)) { session in
            let process = try session.start("run", "sleep infinity")
            #expect(try await process.read(5) == Data("ready".utf8))
            process.process.interrupt()
            let result = try await process.result()
            #expect(result.exitCode == 130)
            #expect(result.err.contains("is stopped"))
            #expect(session.double.count("POST", "/api/v1/mags-jobs/\(MagsDouble.job)/stop") == 1)
        }
    }

    @Test("stops the job when nobody reads its output any more, as a local script would end")
    func brokenPipe() async throws {
        let piece: (kind: UInt8, payload: [UInt8]) = (1, [UInt8](repeating: 120, count: 1 << 20))
        try await Session.with(MagsDouble.Part(Array(repeating: piece, count: 4), hasEnd: false)) { session in
            let process = try session.start("run", "yes")
            #expect(try await process.read(1) == Data("x".utf8))
            try process.hangUp()
            let result = try await process.result(readsOutput: false)
            #expect(result.exitCode == 141)
            #expect(result.err.isEmpty)
            #expect(session.double.count("POST", "/api/v1/mags-jobs/\(MagsDouble.job)/stop") == 1)
        }
    }

    @Test("with a hole in the output says so and ends with 125, in JSON too")
    func hole() async throws {
        let hole = Array(#"{"stream":"stderr","bytes":1000}"#.utf8)
        try await Session.with(MagsDouble.Part([(1, [120]), (4, hole)])) { session in
            let result = try await session.mags("run", "true")
            #expect(result.exitCode == 125)
            #expect(result.out == "x")
            #expect(result.err.contains("1000 bytes of stderr are missing"))
            let json = try await session.mags("run", "true", "--json")
            #expect(json.exitCode == 125)
            #expect(json.json?["truncated"] as? Bool == true)
            #expect(json.json?["command_exit_code"] as? Int == 125)
            #expect(json.json?["exit_code"] as? Int == 0)
            let missing = "1000 bytes of stderr are missing"
            for form in [[], ["--after", "1"], ["-f"], ["-f", "--after", "1"], ["--json"], ["-q", "--after", "1"]] {
                let log = try await MagsProcess.run(
                    ["logs", MagsDouble.job] + form, environment: session.environment)
                #expect(log.exitCode == 125, "\(form)")
                #expect(log.err.contains(missing), "\(form)")
            }
        }
    }

    @Test("ends with 125 when the server could not keep the last of the output, and says what it can")
    func lostEnd() async throws {
        for (state, words) in [("completed", "is not complete"), ("stopped", "could not be kept")] {
            let status: [String: any Sendable] = [
                "status": state, "script_status": state, "error": "The last of its output could not be kept (x).",
                "error_code": "output_not_kept",
            ]
            try await Session.with(MagsDouble.Part(status: status)) { session in
                let result = try await session.mags("run", "true")
                #expect(result.exitCode == 125)
                #expect(result.err.contains(words), "\(result.err)")
                #expect(try await session.mags("status", MagsDouble.job).out.contains("could not be kept"))
            }
        }
    }

    @Test("that fails behind the job's acceptance tells the id of the job that may go on")
    func failsLater() async throws {
        try await Session.with(MagsDouble.Part([(9, [1])])) { session in
            let result = try await session.mags("run", "true")
            #expect(result.exitCode == 125)
            #expect(result.err.contains("mags logs -f \(MagsDouble.job), mags stop \(MagsDouble.job)"))
            let json = try await session.mags("run", "true", "--json").json
            #expect((json?["hint"] as? String)?.contains(MagsDouble.job) == true)
        }
    }

    @Test("with -d prints the id and leaves the job running")
    func detached() async throws {
        try await Session.with { session in
            let result = try await session.mags("run", "-d", "sleep 9")
            #expect(result.out == MagsDouble.job + "\n")
            #expect(session.double.server.requests.count == 1)
        }
    }

    @Test("with --json prints one document with status and output")
    func json() async throws {
        let part = MagsDouble.Part(
            [(1, Array("a".utf8) + [255]), (2, Array("b".utf8))],
            status: ["exit_code": 3, "status": "error", "script_status": "error"])
        try await Session.with(part) { session in
            let result = try await session.mags("run", "exit 3", "--json")
            #expect(result.exitCode == 3)
            #expect(result.json?["stdout"] as? String == "a\u{FFFD}")
            #expect(result.json?["stderr"] as? String == "b")
            #expect(result.json?["exit_code"] as? Int == 3)
            #expect(result.json?["request_id"] as? String == MagsDouble.job)
            #expect(result.json?["truncated"] as? Bool == false)
        }
    }

    @Test("takes the script from a file, and from standard input")
    func scriptSource() async throws {
        try await Session.with { session in
            let path = "\(session.home)/build.sh"
            try Data("#!/bin/sh\necho ä\n".utf8).write(to: URL(filePath: path))
            #expect(try await session.mags("run", path).exitCode == 0)
            #expect(session.double.submission?["script"] as? String == "#!/bin/sh\necho ä\n")
            #expect(try await session.mags("run", "-", stdin: "echo in").exitCode == 0)
            #expect(session.double.submission?["script"] as? String == "echo in")
        }
    }

    @Test("sends the settings by their names on the wire")
    func settings() async throws {
        try await Session.with { session in
            var session = session
            session.environment["FROM_CALLER"] = "mine"
            let result = try await session.mags(
                "run", "-w", "shop", "--env", "A=1=2", "--env", "FROM_CALLER", "--env", "NOT_SET", "-p", "--no-sleep",
                "--startup-command", "sh s", "--base", "b", "--disk", "4", "--type", "python", "true")
            #expect(result.exitCode == 0)
            let expected: [String: Any] = [
                "script": "true", "type": "inline", "workspace_id": "shop", "name": "shop", "persistent": true,
                "no_sleep": true, "startup_command": "sh s", "base_workspace_id": "b", "disk_gb": 4,
                "rootfs_type": "python", "environment": ["A": "1=2", "FROM_CALLER": "mine"],
            ]
            let submission = try #require(session.double.submission)
            #expect(submission as NSDictionary == expected as NSDictionary)
        }
    }

    @Test("uploads files first and names them in the job")
    func files() async throws {
        try await Session.with { session in
            let path = "\(session.home)/data"
            try Data("content".utf8).write(to: URL(filePath: path))
            #expect(try await session.mags("run", "-f", path, "-f", path, "true").exitCode == 0)
            #expect(session.double.submission?["file_ids"] as? [String] == ["file-7", "file-7"])
        }
    }

    @Test(
        "refuses what makes no sense with 64",
        arguments: [
            ["run"], ["run", "echo", "hi"], ["run", "--url", "true"], ["run", "--disk", "0", "true"],
            ["run", "-e", "-w", "x", "true"],
            ["run", "--timeout", "0", "true"], ["run", "--env", "=x", "true"], ["run", "--jsn", "true"],
        ])
    func usage(arguments: [String]) async throws {
        try await Session.with { session in
            let result = try await MagsProcess.run(arguments, environment: session.environment)
            #expect(result.exitCode == 64)
            #expect(result.out.isEmpty)
            #expect(!result.err.isEmpty)
            let json = try await MagsProcess.run(arguments + ["--json"], environment: session.environment)
            #expect(json.exitCode == 64)
            #expect(json.json?["code"] as? String == "usage")
            #expect(session.double.server.requests.isEmpty)
        }
    }
}
