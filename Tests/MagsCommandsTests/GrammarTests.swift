import ArgumentParser
import Foundation
import Testing

@testable import MagsCommands

@Suite("The page about the command")
struct GrammarTests {
    private static func options(in text: String) -> Set<String> {
        Set(text.matches(of: /--[a-z][a-z-]*/).map { String($0.output) })
    }

    private static func page() throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: "Documentation/cli.md"), encoding: .utf8)
    }

    @Test("names every option that there is, and none that there is not")
    func options() throws {
        let commands = MagsCommand.configuration.subcommands
        let helps = commands.map { MagsCommand.helpMessage(for: $0, includeHidden: true, columns: 200) }
        let known = helps.reduce(into: Set<String>()) { $0.formUnion(GrammarTests.options(in: $1)) }
        let named = GrammarTests.options(in: try GrammarTests.page())
        #expect(known.subtracting(named).subtracting(["--help", "--version", "--quiet"]) == [])
        #expect(named.subtracting(known) == [])
    }

    @Test("names every command that there is")
    func commands() throws {
        let page = try GrammarTests.page()
        for command in MagsCommand.configuration.subcommands {
            let name = try #require(command.configuration.commandName)
            #expect(page.contains("`\(name)"), "\(name)")
        }
    }
}
