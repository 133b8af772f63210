import ArgumentParser
import ControlPlane

/// Catches a mistyped subcommand: without one the server is started, so the parser would call it an argument of `serve`.
enum UnknownSubcommand {
    static func check(_ arguments: [String]) throws {
        var command: any ParsableCommand.Type = Magsd.self
        for word in arguments {
            let subcommands = command.configuration.subcommands
            guard !subcommands.isEmpty, !word.hasPrefix("-"), word != "help" else { return }
            if let next = subcommands.first(where: { $0.configuration.commandName == word }) {
                command = next
                continue
            }
            let names = subcommands.filter { $0.configuration.shouldDisplay }.compactMap {
                $0.configuration.commandName
            }
            let advice =
                Nearest.name(to: word, of: names).map { "Did you mean '\($0)'?" }
                ?? "There are: \(names.joined(separator: ", "))."
            throw ValidationError("Unknown subcommand '\(word)'. \(advice)")
        }
    }
}
