import ArgumentParser
import MagsAPI
import MagsModel

/// The options of `run` that shape the job.
///
/// What this version of the server does not do yet is part of the grammar, hidden from the help, and sent on: the server
/// says what it lacks.
struct RunSettings: ParsableArguments {
    @Option(help: ArgumentHelp("Seconds that the script may run, up to 30 days (default: 24 h).", valueName: "seconds"))
    var timeout: Int?
    @OptionGroup var environment: EnvironmentOption
    @Option(help: "The job's name.")
    var name: String?
    @Option(
        name: [.customShort("w"), .customShort("n"), .customLong("workspace")],
        help: "Names workspace and job alike; the workspace's data is not kept yet.")
    var workspace: String?
    @Option(
        name: [.customShort("f"), .customLong("file")],
        help: ArgumentHelp("A file that the script finds in /uploads. Repeatable.", valueName: "file"),
        completion: .file())
    var files: [String] = []
    @Flag(name: [.customShort("e"), .long], help: "Without any workspace: nothing is kept.")
    var ephemeral = false

    @Flag(name: [.customShort("p"), .long], help: .hidden)
    var persistent = false
    @Flag(help: .hidden)
    var url = false
    @Option(help: .hidden)
    var port: Int?
    @Flag(name: .customLong("no-sleep"), help: .hidden)
    var noSleep = false
    @Option(help: .hidden)
    var startupCommand: String?
    @Option(help: .hidden)
    var base: String?
    @Option(help: ArgumentHelp("Size of the machine's disk, 1 to 1024 (default: 2).", valueName: "GB"))
    var disk: Int?
    @Option(help: .hidden)
    var type: String?

    func validate() throws {
        if let timeout, !(1...Limits.maximumTimeoutSeconds).contains(timeout) {
            throw ValidationError("--timeout is 1 to \(Limits.maximumTimeoutSeconds) seconds (30 days).")
        }
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
    }

    func request(script: String) -> SubmitRequest {
        SubmitRequest(
            script: script, type: "inline", name: name ?? workspace, workspaceID: workspace, baseWorkspaceID: base,
            persistent: persistent ? true : nil, noSleep: noSleep ? true : nil, startupCommand: startupCommand,
            environment: environment.values(), diskGB: disk,
            rootfsType: type, timeout: timeout)
    }
}
