import ArgumentParser
import MagsClient

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The `mags` program from its arguments to its exit code.
package enum MagsProgram {
    /// Leaves by `exit`, without waiting for connections to close.
    package static func main() async -> Never {
        // A reader that has left shows as an error of the write, which says which job to stop.
        signal(SIGPIPE, SIG_IGN)
        let arguments = Array(CommandLine.arguments.dropFirst())
        var asksForJSON = asksForJSON(arguments)
        var running: any ParsableCommand.Type = MagsCommand.self
        do {
            try UnknownCommand.check(arguments)
            var command = try await MagsCommand.asyncParseAsRoot(arguments)
            running = type(of: command)
            if let exec = command as? ExecCommand { asksForJSON = exec.output.json }
            if asksForJSON, !(command is RunCommand || command is ExecCommand) { endWithDocument(after: Interrupts()) }
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            exit(0)
        } catch {
            exit(await Failure.tell(error, from: running, asJSON: asksForJSON))
        }
    }

    /// For commands that have nothing to clean up, as `run` and `exec` have: programs get a document after a signal
    /// too. The task goes on to the program's end.
    private static func endWithDocument(after interrupts: Interrupts) {
        Task {
            do {
                try await interrupts.wait()
            } catch {
                exit(await Failure.tell(error, asJSON: true))
            }
        }
    }

    /// Also of a command line that the parser refuses: what follows `--` is no option.
    private static func asksForJSON(_ arguments: [String]) -> Bool {
        arguments.prefix { $0 != "--" }.contains("--json")
    }
}

struct MagsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mags",
        abstract: "Run scripts in microVMs.",
        discussion: "Try: mags run 'echo Hello World'",
        version: "mags \(MagsClient.version)",
        subcommands: [
            RunCommand.self, ExecCommand.self, StatusCommand.self, LogsCommand.self, ListCommand.self, StopCommand.self,
            LoginCommand.self, LogoutCommand.self, WhoamiCommand.self, DoctorCommand.self, CompletionsCommand.self,
            VersionCommand.self,
        ])

    static var commandNames: [String] { configuration.subcommands.compactMap { $0.configuration.commandName } }
}
