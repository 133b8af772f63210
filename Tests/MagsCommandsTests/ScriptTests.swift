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

    @Test("refuses a port that is none", arguments: ["", "0", "08", "65536", "80x"])
    func port(text: String) async throws {
        #expect(try await ScriptTests.run("up", "--port", text).exitCode == 64)
        #expect(try await ScriptTests.run("up", "--port=\(text)").exitCode == 64)
    }
}
