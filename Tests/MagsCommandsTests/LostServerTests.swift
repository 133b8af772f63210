import APIDouble
import Foundation
import Testing

@Suite("A server that is lost under mags")
struct LostServerTests {
    @Test("ends soon, says what becomes of the job, and tells its id in JSON, when the server is stopped")
    func serverStopped() async throws {
        var part = MagsDouble.Part([(1, Array("out".utf8))])
        part.stops = .max
        try await Session.with(part) { session in
            let result = try await session.mags("run", "--json", "sleep 9")
            #expect(result.exitCode == 125)
            #expect(result.err.contains("ended with the server if it ran"))
            #expect(result.json?["code"] as? String == "server_stopped")
            #expect(result.json?["request_id"] as? String == MagsDouble.job)
            #expect(result.json?["stdout"] as? String == "out")
            #expect(result.json?["command_exit_code"] as? Int == 125)
            #expect(try await session.mags("logs", "-f", MagsDouble.job).exitCode == 125)
        }
    }

    @Test(
        "is told once, and once that it is there again", arguments: [["run", "true"], ["logs", "-f", MagsDouble.job]])
    func lostConnection(arguments: [String]) async throws {
        var part = MagsDouble.Part([(1, Array("out".utf8))])
        part.cuts = [0, 0, 0, 0]
        try await Session.with(part) { session in
            let terminal = try Terminal()
            let process = try MagsProcess(arguments, environment: session.environment, terminal: terminal.far)
            try terminal.far.close()
            let shown = await terminal.read(until: "connected again")
            #expect(shown.components(separatedBy: "trying again").count == 2, "\(shown)")
            #expect(shown.contains("connected again"))
            _ = try await process.result()
        }
    }
}
