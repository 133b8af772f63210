import APIDouble
import Foundation

/// One person at a shell: a home folder, a server, and a login to it.
struct Session {
    let double: MagsDouble
    let home: String
    var environment: [String: String]

    static func with(
        _ part: MagsDouble.Part = MagsDouble.Part(), loggedIn: Bool = true,
        answering replies: [(status: Int, headers: [String: String], body: String)] = [],
        _ body: (Session) async throws -> Void
    ) async throws {
        let home = FileManager.default.temporaryDirectory.appending(path: "mags-commands-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: home) }
        let double = try await MagsDouble.start(part, refusing: replies)
        var environment = ["HOME": home, "MAGS_API_URL": double.url]
        if loggedIn { environment["MAGS_API_TOKEN"] = MagsDouble.token }
        do {
            try await body(Session(double: double, home: home, environment: environment))
        } catch {
            await double.server.stop()
            throw error
        }
        await double.server.stop()
    }

    func mags(_ arguments: String..., stdin: String = "") async throws -> MagsProcess.Result {
        try await MagsProcess.run(arguments, environment: environment, stdin: stdin)
    }

    func start(_ arguments: String...) throws -> MagsProcess {
        try MagsProcess(arguments, environment: environment)
    }
}
