import ArgumentParser
import MagsAPI
import MagsClient

struct VersionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the version.",
        discussion: "--json asks the server for its version too, and says null when it does not answer.")

    @OptionGroup var output: JSONOption

    func run() async throws {
        guard output.json else { return try await Console.print("mags \(MagsClient.version)") }
        try await Console.print(json: Versions(client: MagsClient.version, server: try await VersionCommand.ofServer()))
    }

    /// - Returns: nil when the server cannot be asked, which is no failure of the command's.
    private static func ofServer() async throws -> String? {
        do {
            let address = try Configuration.load(environment: Console.environment).address
            let client = MagsClient(address: address, token: nil, retries: .never)
            let late = MagsError("timed_out", "\(address) does not answer")
            return try await Deadline.within(.seconds(10), orThrow: late) { try await client.health() }.version
        } catch is MagsError {
            return nil
        }
    }
}

private struct Versions: Encodable {
    let client: String
    let server: String?

    private enum CodingKeys: String, CodingKey { case version, client, server }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(client, forKey: .version)
        try container.encode(client, forKey: .client)
        try container.encode(server, forKey: .server)
    }
}
