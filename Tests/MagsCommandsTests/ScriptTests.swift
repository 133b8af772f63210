import APIDouble
import Foundation
import Testing

@Suite("A script of the checkout")
struct ScriptTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "script")

    private static func run(_ script: String, _ arguments: String...) async throws -> MagsProcess.Result {
        let home = FileManager.default.temporaryDirectory.appending(path: "mags-scripts-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: home) }
        return try await MagsProcess.run(
            arguments, environment: ["HOME": home, "MAGS_HOME": "\(home)/mags", "PATH": "/usr/bin:/bin"],
            program: folder.appending(path: script))
    }

    @Test("says how it is used, and does nothing else", arguments: ["up", "down", "test", "bench", "lint", "format"])
    func help(script: String) async throws {
        for option in ["--help", "-h"] {
            let result = try await ScriptTests.run(script, option)
            #expect(result.exitCode == 0)
            #expect(result.out.hasPrefix("script/\(script)"), "\(result.out)")
            #expect(!result.out.contains("nothing left"))
        }
    }

    @Test("refuses what it does not know", arguments: ["up", "down", "test", "bench", "lint", "format"])
    func unknown(script: String) async throws {
        let result = try await ScriptTests.run(script, "--nothing-of-the-kind")
        #expect(result.exitCode == 64)
        #expect(result.out.isEmpty)
        #expect(result.err.contains("--nothing-of-the-kind"))
    }

    @Test("says that a port is taken before it builds anything")
    func takenPort() async throws {
        try await Session.with { session in
            let port = try #require(session.double.url.split(separator: ":").last)
            let result = try await ScriptTests.run("up", "--port", String(port))
            #expect(result.exitCode == 1)
            #expect(result.err.contains("cannot listen on port \(port): address already in use"), "\(result.err)")
        }
    }

    /// Something of `lib/server.sh`, with `$log` and, in `$magsd`, a server that is the given script.
    private static func server(
        _ script: String, magsd: String = "", _ body: (_ home: String, _ result: MagsProcess.Result) throws -> Void
    ) async throws {
        let home = FileManager.default.temporaryDirectory.appending(path: "mags-scripts-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: home) }
        try FileManager.default.createDirectory(atPath: "\(home)/log", withIntermediateDirectories: true)
        let program = "\(home)/magsd"
        try Data("#!/bin/bash\nlog=$MAGS_HOME/log/magsd.log\n\(magsd)".utf8).write(to: URL(filePath: program))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
        let names = "log=$MAGS_HOME/log/magsd.log magsd=$MAGS_HOME/magsd"
        let result = try await MagsProcess.run(
            ["-c", "cd '\(folder.path)/lib' && . ./report.sh && . ./server.sh\n\(names)\n\(script)"],
            environment: ["MAGS_HOME": home, "MAGS_CACHE": "\(home)/cache", "PATH": "/usr/bin:/bin"],
            program: URL(filePath: "/bin/bash"))
        try body(home, result)
    }

    @Test("shows why the server ended, also when that emptied its log before")
    func emptiedLog() async throws {
        try await ScriptTests.server(
            "seq 1000 >$log; start_server $magsd 1", magsd: ": >$log; echo words; echo 'Error: the reason'; exit 1"
        ) { _, result in
            #expect(result.exitCode == 1)
            #expect(result.out.contains("magsd ended at once."), "\(result.out) \(result.err)")
            #expect(result.out.contains("words\n") && result.out.contains("Error: the reason"), "\(result.out)")
            #expect(!result.out.contains("1000"))
        }
    }

    @Test("names the server's process that ends again and again, also when the log was emptied before")
    func failingRole() async throws {
        let line = "role ended, starting it again: role=host status=1"
        try await ScriptTests.server("printf '%s\\n' '\(line)' '\(line)' '\(line)' >$log; failing_role $log 5000") {
            _, result in
            #expect(result.out.contains("process \"host\" ended or failed 3 times"), "\(result.out) \(result.err)")
        }
    }

    @Test("puts a log aside before the start that the server would empty then")
    func longLog() async throws {
        try await ScriptTests.server(
            "truncate -s 65M $log; start_server $magsd 1", magsd: "stat -c 'bytes: %s' $log; exit 1"
        ) { home, result in
            #expect(result.out.contains("bytes: 0\n"), "\(result.out) \(result.err)")
            let kept = try FileManager.default.attributesOfItem(atPath: "\(home)/log/magsd.log.1")[.size] as? Int
            #expect(kept == 65 << 20)
        }
    }

    @Test("refuses a port that is none", arguments: ["", "0", "08", "65536", "80x"])
    func port(text: String) async throws {
        #expect(try await ScriptTests.run("up", "--port", text).exitCode == 64)
        #expect(try await ScriptTests.run("up", "--port=\(text)").exitCode == 64)
    }
}
