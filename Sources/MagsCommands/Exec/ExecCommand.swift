import ArgumentParser
import MagsAPI
import MagsClient
import MagsModel

struct ExecCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", _superCommandName: "mags",
        abstract: "Run a command in a job's machine, beside its script, and stream its output.",
        usage: "mags exec [<options>] <job> <command> ...",
        discussion: """
            Options stand before the job: what follows it is the command, its words joined by spaces, and bash runs it. It \
            has no standard input: it reads /dev/null.

            The exit code is the command's own; 128 + N when signal N ended it; 124 when its time was up; 64 when the \
            command line is wrong; 125 when Mags failed or it is not known how the command ended; 130 after Ctrl-C, which \
            stops the command and not the job. \(JobArgument.rule)
            """)

    @OptionGroup var job: JobArgument
    @Argument(parsing: .captureForPassthrough, help: "The command.")
    var command: [String] = []

    @Option(
        help: ArgumentHelp("Seconds that the command may run, up to 30 days (default: 24 h).", valueName: "seconds"))
    var timeout: Int?
    @Option(help: ArgumentHelp("Where the command starts (default: /root).", valueName: "folder"))
    var cwd: String?
    @OptionGroup var environment: EnvironmentOption
    @OptionGroup var output: JSONOption
    @OptionGroup var manners: QuietOption

    @Flag(name: [.customShort("i"), .long], help: .hidden)
    var interactive = false
    @Flag(name: [.customShort("t"), .long], help: .hidden)
    var tty = false

    func validate() throws {
        if let timeout, !(1...Limits.maximumTimeoutSeconds).contains(timeout) {
            throw ValidationError("--timeout is 1 to \(Limits.maximumTimeoutSeconds) seconds (30 days).")
        }
        if interactive || tty {
            throw ValidationError(
                "-i and -t are not available yet: a command has no standard input and no terminal. Leave them out.")
        }
    }

    private func request() throws -> ExecRequest {
        let words = command.first == "--" ? Array(command.dropFirst()) : command
        guard let first = words.first else {
            throw ValidationError("A command is missing. Try: mags exec \(printable(job.job)) 'ls -la'")
        }
        guard command.first == "--" || !first.hasPrefix("-") else {
            throw ValidationError(
                "\(printable(first)) stands behind the job: options stand before it, and a command that begins with - "
                    + "behind --.")
        }
        return ExecRequest(
            command: words.joined(separator: " "), timeout: timeout, cwd: cwd, environment: environment.values())
    }

    func run() async throws {
        let request = try request()
        let client = try MagsClient(environment: Console.environment)
        if !manners.quiet { for note in environment.notes(on: "command") { await Console.complain(note) } }
        let interrupts = Interrupts()
        let exec = try await start(request, client, interrupts)
        let captured = output.json ? CapturedOutput() : nil
        do {
            // A signal that came while the command had no id yet.
            try interrupts.check()
            try await follow(exec, client, interrupts, captured)
        } catch {
            throw await ending(of: exec, after: error, client, captured)
        }
    }

    /// Whoever interrupts this must wait for the command's id, to be able to stop it.
    private func start(
        _ request: ExecRequest, _ client: MagsClient, _ interrupts: Interrupts
    ) async throws -> ExecStatus {
        let (job, quiet) = (job.job, manners.quiet)
        do {
            return try await interrupts.attend {
                await Console.note("waiting for the command to stop it; a second Ctrl-C leaves at once", quiet: quiet)
            } _: {
                try await client.startExec(request, in: job, grace: .seconds(10))
            }
        } catch {
            guard let signal = interrupts.received else { throw error }
            if let error = error as? MagsError { await Console.complain("\(error)") }
            throw Interrupted(signal: signal)
        }
    }
}
