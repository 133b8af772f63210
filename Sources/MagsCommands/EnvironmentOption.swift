import ArgumentParser

struct EnvironmentOption: ParsableArguments {
    @Option(
        name: .customLong("env"),
        help: ArgumentHelp(
            "A variable for what runs; without =VALUE, the caller's own. Repeatable.", valueName: "name[=value]"))
    var variables: [String] = []

    func validate() throws {
        for variable in variables where variable.isEmpty || variable.hasPrefix("=") {
            throw ValidationError("--env '\(variable)' has no name. Use --env NAME=VALUE, or --env NAME.")
        }
    }

    /// Nil for none. A bare name that the caller does not have stays unset, as other tools have it; `notes` tells.
    func values(of caller: [String: String] = Console.environment) -> [String: String]? {
        guard !variables.isEmpty else { return nil }
        var result: [String: String] = [:]
        for variable in variables {
            if let split = variable.firstIndex(of: "=") {
                result[String(variable[..<split])] = String(variable[variable.index(after: split)...])
            } else if let value = caller[variable] {
                result[variable] = value
            }
        }
        return result
    }

    /// What is said of variables that may be meant otherwise.
    ///
    /// - Parameter what: what has them.
    func notes(on what: String) -> [String] {
        variables.filter { !$0.contains("=") && Console.environment[$0] == nil }.map {
            "--env \($0): there is no such variable here, so the \(what) has none"
        }
    }
}
