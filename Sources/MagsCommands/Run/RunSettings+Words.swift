import MagsAPI
import MagsClient

extension RunSettings {
    /// What is said before the script runs, since it may be meant otherwise.
    ///
    /// - Parameter isText: the argument is the script itself, and not the name of a file with it.
    func notes(onScript argument: String, isText: Bool) -> [String] {
        var notes: [String] = []
        if isText, ScriptSource.looksLikeFile(argument), !files.map(lastPart).contains(lastPart(argument)) {
            notes.append("there is no file '\(argument)' here: it is run as a command in the machine")
        }
        return notes + environment.notes(on: "script")
    }

    private func lastPart(_ path: String) -> Substring { path.split(separator: "/").last ?? "" }

    /// The server names the fields of the API; who wrote a command line knows its options.
    func inOwnWords(_ error: MagsError) -> MagsError {
        guard error.status == 400 else { return error }
        var error = error
        error.message = inOwnWords(error.message)
        error.hint = error.hint.map(inOwnWords)
        if error.hint?.contains("/mags-files") == true { error.hint = "Send what it carries as files, with -f." }
        return error
    }

    private func inOwnWords(_ text: String) -> String {
        typealias Field = SubmitRequest.CodingKeys
        let options: [Field: String] = [
            .script: "the script", .name: name == nil ? "-w" : "--name", .workspaceID: "-w", .baseWorkspaceID: "--base",
            .persistent: "-p", .noSleep: "--no-sleep", .startupCommand: "--startup-command", .environment: "--env",
            .fileIDs: "-f", .diskGB: "--disk", .rootfsType: "--type", .timeout: "--timeout",
        ]
        // Plain words are names of fields at the beginning only.
        return text.split(separator: " ", omittingEmptySubsequences: false).enumerated().map { index, word in
            guard let field = Field(rawValue: String(word)), let option = options[field],
                index == 0 || word.contains("_")
            else { return String(word) }
            return option
        }.joined(separator: " ")
    }
}
