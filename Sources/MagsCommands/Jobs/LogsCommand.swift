import ArgumentParser
import MagsAPI
import MagsClient

struct LogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Print a job's output.",
        discussion: """
            What the script wrote to standard error goes there, as does what Mags says about the job. The exit code is \
            not the script's: 0, or 125 when output is missing or Mags failed. \(JobArgument.rule)
            """)

    @OptionGroup var job: JobArgument
    @Flag(name: [.customShort("f"), .long], help: "Go on until the job has ended.")
    var follow = false
    @Option(help: ArgumentHelp("Only entries behind this number, as --json shows it.", valueName: "seq"))
    var after = 0
    @OptionGroup var output: JSONOption
    @OptionGroup var manners: QuietOption

    func validate() throws {
        guard after >= 0 else { throw ValidationError("--after is not below 0.") }
        guard !(output.json && follow) else {
            throw ValidationError("--json prints one document, which --follow cannot: leave out one of them.")
        }
    }

    func run() async throws {
        let client = try MagsClient(environment: Console.environment)
        // Asked first, so that an unknown job or a lost server is told at once and not after a minute's patience, and so
        // that a connection that is taken up again leads to the same job, whatever is called so by then.
        let id = try await client.status(of: job.job).requestID
        if output.json { return try await LogDocument.print(client.entries(of: id, after: after)) }
        guard follow else {
            return after > 0
                ? try await print(client.entries(of: id, after: after))
                : try await print(client.output(of: id, follows: false))
        }
        if after > 0 {
            try await print(client.log(of: id, after: after))
        } else {
            try await print(client.output(of: id))
        }
    }

    private func print(_ output: JobOutput) async throws {
        var hasHoles = false
        var notes = ConnectionNotes(quiet: manners.quiet)
        for try await event in output {
            if case .interrupted(let error) = event {
                await notes.lost(error)
                continue
            }
            await notes.stands()
            switch event {
            case .stdout(let bytes): try await StandardStream.output.write(bytes)
            case .stderr(let bytes): try await StandardStream.error.write(bytes)
            case .system(let text): if !manners.quiet { await Console.complain(text) }
            case .skipped(let skipped):
                await Console.complain(skipped.text)
                hasHoles = true
            case .interrupted, .resumed: break
            case .ended(let status):
                await tellEnd(status)
                if hasHoles { throw ExitCode(MagsExit.failed) }
            }
        }
    }

    private func print(_ log: JobLog) async throws {
        var hasHoles = false
        var notes = ConnectionNotes(quiet: manners.quiet)
        for try await event in log {
            if case .interrupted(let error) = event {
                await notes.lost(error)
                continue
            }
            await notes.stands()
            switch event {
            case .entry(let entry):
                if let skipped = entry.skipped {
                    await Console.complain(skipped.text)
                    hasHoles = true
                } else {
                    try await print(entry)
                }
            case .interrupted, .resumed: break
            case .ended(let status): await tellEnd(status)
            }
        }
        if hasHoles { throw ExitCode(MagsExit.failed) }
    }

    /// Of a job that was followed.
    private func tellEnd(_ status: JobStatus) async {
        guard follow else { return }
        let ending = Ending(status)
        let text = ending.text ?? "job \(status.requestID) ended with exit code \(ending.exitCode)"
        await Console.note(text, quiet: manners.quiet)
    }

    private func print(_ entry: LogEntry) async throws {
        switch entry.stream {
        case "stdout": try await Console.print(entry.message)
        case "stderr": try await StandardStream.error.write(entry.message + "\n")
        default: if !manners.quiet { await Console.complain(entry.message) }
        }
    }
}
