import ArgumentParser
import MagsAPI
import MagsModel

/// The options of `run` that shape the job.
///
/// What this version of the server does not do yet is still part of the grammar and sent on: the server says what it
/// lacks, in one place and one wording.
struct RunSettings: ParsableArguments {
    @Option(help: ArgumentHelp("Seconds that the script may run.", valueName: "seconds"))
    var timeout: Int?
    @Option(
        name: .customLong("env"),
        help: ArgumentHelp(
            "A variable for the script; without =VALUE, the caller's own. Repeatable.", valueName: "name[=value]"))
    var variables: [String] = []
    @Option(help: "The job's name.")
    var name: String?
    @Option(
        name: [.customShort("w"), .customShort("n"), .customLong("workspace")],
        help: "Names workspace and job alike.")
    var workspace: String?
    @Option(
        name: [.customShort("f"), .customLong("file")],
        help: ArgumentHelp("A file that the script finds in /uploads. Repeatable.", valueName: "file"),
        completion: .file())
    var files: [String] = []
    @Flag(name: [.customShort("e"), .long], help: "Without any workspace: nothing is kept.")
    var ephemeral = false

    @Flag(name: [.customShort("p"), .long], help: "Keep the machine after the script has ended.")
    var persistent = false
    @Flag(help: "Give the machine a public address; needs -p.")
    var url = false
    @Option(help: "The port behind the public address (default: 8080); needs --url.")
    var port: Int?
    @Flag(name: .customLong("no-sleep"), help: "Never put the machine to sleep; needs -p.")
    var noSleep = false
    @Option(help: ArgumentHelp("Run on every wake.", valueName: "command"))
    var startupCommand: String?
    @Option(help: ArgumentHelp("Start from this workspace, which stays as it is.", valueName: "workspace"))
    var base: String?
    @Option(help: ArgumentHelp("Size of the machine's disk, 1 to 1024 (default: 2).", valueName: "GB"))
    var disk: Int?
    @Option(help: ArgumentHelp("The image.", valueName: "image"))
    var type: String?

    func validate() throws {
        if let timeout, timeout < 1 { throw ValidationError("--timeout is at least 1 second.") }
        if let disk, !(1...Limits.maximumDiskGigabytes).contains(disk) {
            throw ValidationError("--disk is 1 to \(Limits.maximumDiskGigabytes) GB.")
        }
        if let port, !(1...65535).contains(port) { throw ValidationError("--port is 1 to 65535.") }
        if url && !persistent { throw ValidationError("--url needs -p: the machine must outlive the script.") }
        if port != nil && !url { throw ValidationError("--port needs --url.") }
        if noSleep && !persistent { throw ValidationError("--no-sleep needs -p: the machine must outlive the script.") }
        if ephemeral && workspace != nil {
            throw ValidationError("-e keeps nothing and -w names what to keep: leave out one of them.")
        }
        if ephemeral && persistent {
            throw ValidationError("-e keeps nothing and -p keeps the machine: leave out one of them.")
        }
        for variable in variables where variable.isEmpty || variable.hasPrefix("=") {
            throw ValidationError("--env '\(variable)' has no name. Use --env NAME=VALUE, or --env NAME.")
        }
    }

    func request(script: String) throws -> SubmitRequest {
        SubmitRequest(
            script: script, type: "inline", name: name ?? workspace, workspaceID: workspace, baseWorkspaceID: base,
            persistent: persistent ? true : nil, noSleep: noSleep ? true : nil, startupCommand: startupCommand,
            environment: variables.isEmpty ? nil : try environment(of: Console.environment), diskGB: disk,
            rootfsType: type, timeout: timeout)
    }

    /// A bare name that the caller does not have stays unset, as `env` and other tools have it.
    private func environment(of caller: [String: String]) throws -> [String: String] {
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
}
