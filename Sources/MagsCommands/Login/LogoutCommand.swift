import ArgumentParser
import MagsClient

struct LogoutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logout", abstract: "Forget the saved API token.",
        discussion: "The token itself stays good; the server's address stays saved.")

    @OptionGroup var output: JSONOption
    @OptionGroup var manners: QuietOption

    private struct Reply: Encodable {
        var loggedOut: Bool
        enum CodingKeys: String, CodingKey { case loggedOut = "logged_out" }
    }

    func run() async throws {
        let path = Configuration.filePath(environment: Console.environment)
        var file = try path.map { try ConfigurationFile.read($0) } ?? ConfigurationFile()
        let wasLoggedIn = file.apiToken != nil
        if wasLoggedIn, let path {
            file.apiToken = nil
            try file.write(path)
        }
        if output.json { return try await Console.print(json: Reply(loggedOut: wasLoggedIn)) }
        guard !manners.quiet else { return }
        try await Console.print(wasLoggedIn ? "Logged out." : "There was no login: not logged in.")
    }
}
