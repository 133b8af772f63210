import ArgumentParser

struct CompletionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completions", abstract: "Print a script that completes commands and options with Tab.",
        discussion: """
            bash:  source <(mags completions bash)
            zsh:   mags completions zsh > a file _mags in a folder of $fpath
            fish:  mags completions fish > ~/.config/fish/completions/mags.fish
            """)

    enum Shell: String, CaseIterable, ExpressibleByArgument { case bash, zsh, fish }

    @Argument(help: "The shell.")
    var shell: Shell

    func run() async throws {
        let kind: CompletionShell =
            switch shell {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        try await Console.print(CompletionsCommand.script(for: kind))
    }

    /// The parser's script, which knows no topics for `help`: these are put in here.
    static func script(for shell: CompletionShell) -> String {
        let script = MagsCommand.completionScript(for: shell)
        let topics = MagsCommand.commandNames.joined(separator: " ")
        return switch shell {
        case .zsh:
            script.split(separator: "'*:subcommands:'", maxSplits: 1).joined(separator: "'*:command:(\(topics))'")
        case .fish: script + "\ncomplete -c mags -n '__fish_seen_subcommand_from help' -f -a '\(topics)'"
        // The later of two functions of one name counts.
        default: script + "\n_mags_help() { COMPREPLY+=($(compgen -W '\(topics)' -- \"${cur}\")); }"
        }
    }
}
