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
        try await Console.print(MagsCommand.completionScript(for: kind))
    }
}
