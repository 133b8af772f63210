import APIDouble
import Foundation
import MagsClient
import MagsModel
import Testing

@testable import MagsCommands

@Suite("The mags command")
struct OtherCommandTests {
    @Test("suggests the command that was meant")
    func didYouMean() async throws {
        try await Session.with { session in
            for (typed, meant) in [("rnu", "run"), ("statsu", "status"), ("lgos", "logs"), ("Doctor", "doctor")] {
                let result = try await session.mags(typed)
                #expect(result.exitCode == 64)
                #expect(result.err.contains("Did you mean '\(meant)'?"), "\(result.err)")
            }
            let far = try await session.mags("frobnicate")
            #expect(far.exitCode == 64)
            #expect(!far.err.contains("Did you mean"))
            #expect(try await session.mags("run", "--jsn", "x").err.contains("Did you mean '--json'?"))
        }
    }

    @Test(
        "prints help and version without a login",
        arguments: [["--help"], ["help", "run"], ["--version"], ["version"]])
    func help(arguments: [String]) async throws {
        let result = try await MagsProcess.run(arguments, environment: [:])
        #expect(result.exitCode == 0)
        #expect(result.out.contains("mags"))
        #expect(result.err.isEmpty)
    }

    @Test("prints both versions as JSON, and its own when the server is not there")
    func versions() async throws {
        try await Session.with(loggedIn: false) { session in
            let own = MagsClient.version
            let both = try await session.mags("version", "--json").json
            #expect(both as NSDictionary? == ["version": own, "client": own, "server": "9.9.9"] as NSDictionary)
            await session.double.server.stop()
            let alone = try await session.mags("version", "--json")
            #expect(alone.exitCode == 0)
            #expect(alone.json as NSDictionary? == ["version": own, "client": own, "server": NSNull()] as NSDictionary)
        }
    }

    @Test("prints completions that know the commands", arguments: ["bash", "zsh", "fish"])
    func completions(shell: String) async throws {
        let result = try await MagsProcess.run(["completions", shell], environment: [:])
        #expect(result.exitCode == 0)
        for word in ["doctor", "detach"] { #expect(result.out.contains(word)) }
        #expect(result.out.contains("run exec status logs list"), "topics of help")
        #expect(!result.out.contains("startup-command"), "what is not built yet")
    }

    @Test("refuses values that cannot be with 64, and names those that can")
    func values() async throws {
        try await Session.with { session in
            for (arguments, words) in [
                (["list", "--status", "runing"], "Did you mean 'running'?"), (["list", "--page", "0"], "--page"),
                (["list", "--page-size", "101"], "1 to 100"), (["login", "--url", "nowhere"], "--url"),
                (["run", "--timeout", "2592001", "x"], "30 days"),
            ] {
                let result = try await MagsProcess.run(arguments, environment: session.environment)
                #expect(result.exitCode == 64)
                #expect(result.err.contains(words), "\(result.err)")
            }
            #expect(session.double.server.requests.isEmpty)
        }
    }

    @Test("without a login says so, with 125, in JSON too")
    func notLoggedIn() async throws {
        try await Session.with(loggedIn: false) { session in
            let result = try await session.mags("list", "--json")
            #expect(result.exitCode == 125)
            #expect(result.err.contains("not logged in"))
            #expect(result.err.contains("mags login"))
            #expect(result.json?["code"] as? String == "not_logged_in")
        }
    }

    @Test("hands on the server's words for an unknown job")
    func notFound() async throws {
        try await Session.with { session in
            for command in ["status", "logs", "stop"] {
                let result = try await session.mags(command, "nobody")
                #expect(result.exitCode == 125)
                #expect(result.err.contains("not found"))
            }
        }
    }

    @Test("shows a job's status and the list, for people and as JSON")
    func status() async throws {
        try await Session.with(MagsDouble.Part(status: ["name": "evil\u{1B}[2J"])) { session in
            let text = try await session.mags("status", "a name")
            #expect(text.out.contains(MagsDouble.job))
            #expect(!text.stdout.contains(0x1B))
            let json = try await session.mags("status", MagsDouble.job, "--json").json
            #expect(json?["name"] as? String == "evil\u{1B}[2J")
            #expect(try await session.mags("list").out.contains(MagsDouble.job))
            #expect(try await session.mags("list", "--json").json?["total"] as? Int == 1)
        }
    }

    @Test("prints logs stream by stream, follows them, and starts behind a number")
    func logs() async throws {
        let part = MagsDouble.Part([(1, Array("one\n".utf8)), (2, Array("two\n".utf8)), (1, Array("three".utf8))])
        try await Session.with(part) { session in
            let all = try await session.mags("logs", MagsDouble.job)
            #expect(all.out == "one\nthree")
            #expect(all.err == "two\n")
            #expect(try await session.mags("logs", MagsDouble.job, "--after", "2").out == "three\n")
            #expect(try await session.mags("logs", MagsDouble.job, "-f", "--after", "2").out == "three\n")
            #expect(session.double.count("GET", "/api/v1/mags-jobs/\(MagsDouble.job)/logs") == 2)
            let followed = try await session.mags("logs", "-f", MagsDouble.job)
            #expect(followed.out == "one\nthree")
            #expect(followed.err == "two\n")
            let terminal = try Terminal()
            let watched = try MagsProcess(
                ["logs", "-f", MagsDouble.job], environment: session.environment, terminal: terminal.far)
            try terminal.far.close()
            #expect(await terminal.read(until: "exit code 0").contains("job \(MagsDouble.job) ended with exit code 0"))
            _ = try await watched.result()
            let json = try await session.mags("logs", MagsDouble.job, "--json").json
            #expect((json?["logs"] as? [Any])?.count == 3)
        }
    }

    @Test("stops a job")
    func stop() async throws {
        try await Session.with { session in
            let stopped = try await session.mags("stop", MagsDouble.job)
            #expect(stopped.out.contains("is stopped"))
            #expect(try await session.mags("stop", "-q", MagsDouble.job).out.isEmpty)
            #expect(try await session.mags("stop", MagsDouble.job, "--json").json?["success"] as? Bool == true)
        }
    }

    @Test("saves a login that the server knows, uses it, and forgets it")
    func login() async throws {
        try await Session.with(loggedIn: false) { session in
            var session = session
            let login = try await session.mags("login", stdin: "  \(MagsDouble.token)\r\n")
            #expect(login.exitCode == 0, "\(login.err)")
            let path = "\(session.home)/.mags/config.json"
            #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
            session.environment["MAGS_API_URL"] = nil
            #expect(try await session.mags("whoami").out.contains("ada"))
            #expect(try await session.mags("logout").exitCode == 0)
            #expect(try await session.mags("whoami").err.contains("not logged in"))
            let kept = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? NSDictionary
            #expect(kept == ["api_url": session.double.url])
        }
    }

    @Test("does not save a login that the server does not know")
    func badLogin() async throws {
        try await Session.with(loggedIn: false) { session in
            let result = try await session.mags("login", "--token", "wrong")
            #expect(result.exitCode == 125)
            #expect(result.err.contains("API token required"))
            #expect(!FileManager.default.fileExists(atPath: "\(session.home)/.mags"))
        }
    }

    @Test("lets the doctor look at both sides")
    func doctor() async throws {
        try await Session.with { session in
            let result = try await session.mags("doctor", "--json")
            #expect(result.exitCode == 0)
            let findings = try #require(result.json?["findings"] as? [[String: Any]])
            let subjects = findings.compactMap { $0["subject"] as? String }
            #expect(subjects == ["configuration", "address", "server", "version", "token", "accelerator"])
        }
    }

    @Test("lets the doctor give up on a server that takes a connection and does not answer")
    func doctorWithSilence() async throws {
        try await Session.with { session in
            session.double.server.hold { $0.path == "/health" }
            var checkup = ClientCheckup(environment: session.environment)
            checkup.patience = .milliseconds(50)
            let finding = try #require(await checkup.findings().last)
            #expect((finding.grade, finding.subject) == (.bad, "server"))
            #expect(finding.text.contains("does not answer"))
            #expect(finding.remedy?.contains("script/up") == true)
            session.double.server.release()
        }
    }

    @Test("lets the doctor find what is wrong and end with 1")
    func doctorFindsBad() async throws {
        try await Session.with { session in
            let path = "\(session.home)/config.json"
            try Data("{}".utf8).write(to: URL(filePath: path))
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
            var session = session
            session.environment["MAGS_CONFIG"] = path
            let readable = try await session.mags("doctor")
            #expect(readable.exitCode == 1)
            #expect(readable.out.contains("chmod 600"))
            await session.double.server.stop()
            let gone = try await session.mags("doctor")
            #expect(gone.exitCode == 1)
            #expect(gone.out.contains("bad     server:"))
        }
    }
}
