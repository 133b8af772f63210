import ArgumentParser
import MagsModel

@main
struct Magsd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "magsd",
        abstract: "The Mags server: runs scripts in microVMs on this host.",
        discussion: "Without a subcommand it starts the server and stays in the foreground until SIGTERM.",
        version: MagsVersion.text,
        subcommands: [
            Serve.self, HostCommand.self, APICommand.self, EdgeCommand.self, ResolverCommand.self, TokenCommand.self,
            DoctorCommand.self, VersionCommand.self,
        ],
        defaultSubcommand: Serve.self)

    static func main() async {
        do {
            try UnknownSubcommand.check(Array(CommandLine.arguments.dropFirst()))
        } catch {
            exit(withError: error)
        }
        await main(nil)
    }
}

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the server's version.")
    func run() { print("magsd \(MagsVersion.text)") }
}
