import ArgumentParser
import MagsAPI
import MagsClient

struct WhoamiCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "whoami", abstract: "Show the server and whom the token speaks for.")

    @OptionGroup var output: JSONOption

    func run() async throws {
        let configuration = try Configuration.load(environment: Console.environment)
        let identity = try await MagsClient(environment: Console.environment).whoami()
        let session = Session(identity, configuration.address, configuration.tokenSource)
        if output.json { return try await Console.print(json: session) }
        try await Console.print(
            printable("\(identity.name) of \(identity.organisation), at \(session.apiURL)") + "\n"
                + printable("token '\(identity.tokenName)' from \(session.tokenSource)"))
    }
}

/// Who is logged in, where, and how that is known.
struct Session: Encodable {
    var name: String
    var organisation: String
    var tokenName: String
    var apiURL: String
    var tokenSource: String

    enum CodingKeys: String, CodingKey {
        case name, organisation
        case tokenName = "token_name"
        case apiURL = "api_url"
        case tokenSource = "token_source"
    }

    init(_ identity: Identity, _ address: ServerAddress, _ source: Configuration.Source) {
        name = identity.name
        organisation = identity.organisation
        tokenName = identity.tokenName
        apiURL = address.description
        tokenSource = source.description
    }
}
