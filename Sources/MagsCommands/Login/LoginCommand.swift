import ArgumentParser
import MagsAPI
import MagsClient

struct LoginCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "login", abstract: "Save a server's address and an API token.",
        discussion: """
            Without --token, asks for the token, or reads it from standard input when that is no terminal; so it stays \
            out of the list of processes. The server must know the token, else nothing is saved.
            """)

    @Option(help: "The API token.")
    var token: String?
    @Option(help: "The server: http://HOST:PORT, https://HOST or unix:/path/to.sock.")
    var url: String?
    @OptionGroup var output: JSONOption
    @OptionGroup var manners: QuietOption

    func validate() throws {
        guard let url else { return }
        do throws(MagsError) { _ = try ServerAddress(url) } catch { throw ValidationError("--url: \(error)") }
    }

    func run() async throws {
        let environment = Console.environment
        guard let path = Configuration.filePath(environment: environment) else {
            throw MagsError("bad_configuration", "neither HOME nor MAGS_CONFIG says where to save the login")
        }
        var file = try ConfigurationFile.read(path)
        let address = try url.map { try ServerAddress($0) } ?? Configuration.load(environment: environment).address
        let token: String
        if let given = self.token {
            token = given
        } else {
            token = try await HiddenPrompt.ask("API token for \(address): ")
        }
        guard !token.isEmpty, token.utf8.allSatisfy({ (33..<127).contains($0) }) else {
            throw MagsError("not_logged_in", "API token required: one line of printable characters")
        }
        let identity = try await MagsClient(address: address, token: token).whoami()
        file.apiURL = address.description
        file.apiToken = token
        try file.write(path)
        if output.json {
            try await Console.print(json: Session(identity, address, .file(path)))
        } else if !manners.quiet {
            try await Console.print("Logged in to \(address) as \(printable(identity.name)); saved in \(path).")
        }
        for name in ["MAGS_API_URL", "MAGS_API_TOKEN", "MAGS_TOKEN"] where !(environment[name] ?? "").isEmpty {
            await Console.note("\(name) is set and wins over what was saved", quiet: manners.quiet)
        }
    }
}
