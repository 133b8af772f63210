import ArgumentParser
import MagsAPI
import MagsClient

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a script in a microVM and stream its output.",
        usage: "mags run [<options>] <script>",
        discussion: """
            The exit code is the script's own; 128 + N when signal N ended it; 124 when its time was up; 125 when Mags \
            failed; 130 after Ctrl-C, which stops the job.
            """)

    @Argument(help: "The script itself, the path of a file that holds it, or - for standard input.")
    var script: [String] = []

    @OptionGroup var settings: RunSettings
    @Flag(name: [.customShort("d"), .long], help: "Print the job's id and leave it running.")
    var detach = false
    @OptionGroup var output: JSONOption
    @OptionGroup var manners: QuietOption

    func validate() throws {
        guard !script.isEmpty else { throw ValidationError("A script is missing. Try: mags run 'echo hi'") }
        guard script.count == 1 else {
            throw ValidationError("One script is expected, not \(script.count) words. Quote it: mags run 'echo hi'")
        }
    }

    func run() async throws {
        let client = try MagsClient(environment: Console.environment)
        var request = try settings.request(script: try await ScriptSource.text(of: script[0]))
        if settings.workspace != nil {
            await Console.note("the workspace's data is not kept yet, only its name", quiet: manners.quiet)
        }
        let interrupts = Interrupts()
        let (files, quiet) = (settings.files, manners.quiet)
        let ids = try await interrupts.race { try await RunCommand.upload(files, client, quiet) }
        request.fileIDs = ids.isEmpty ? nil : ids
        let submission = request
        let job = try await RunCommand.submit(submission, client, interrupts, quiet)
        do {
            // A signal that came while the job had no id yet.
            try interrupts.check()
            if detach { return try await tell(job) }
            try await follow(job.requestID, client, interrupts)
        } catch {
            throw await ending(of: job.requestID, after: error, client)
        }
    }

    private static func upload(_ files: [String], _ client: MagsClient, _ quiet: Bool) async throws -> [String] {
        var ids: [String] = []
        for file in files {
            await Console.note("sending \(file)", quiet: quiet)
            ids.append(try await client.upload(file: file).fileID)
        }
        return ids
    }

    /// Whoever interrupts this must wait for the job's id, to be able to stop the job.
    private static func submit(
        _ request: SubmitRequest, _ client: MagsClient, _ interrupts: Interrupts, _ quiet: Bool
    ) async throws -> SubmitReply {
        do {
            return try await interrupts.attend {
                await Console.note("waiting for the job's id to stop it; a second Ctrl-C leaves at once", quiet: quiet)
            } _: {
                try await client.submit(request, grace: .seconds(10))
            }
        } catch {
            guard let signal = interrupts.received else { throw error }
            if let error = error as? MagsError { await Console.complain("\(error)") }
            throw Interrupted(signal: signal)
        }
    }

    private func tell(_ job: SubmitReply) async throws {
        if output.json { return try await Console.print(json: job) }
        try await Console.print(printable(job.requestID))
    }

    private func follow(_ id: String, _ client: MagsClient, _ interrupts: Interrupts) async throws {
        let printer = OutputPrinter(collects: output.json, quiet: manners.quiet)
        let run = try await interrupts.race { try await printer.print(client.output(of: id)) }
        let ending = run.ending
        if let text = ending.text { await Console.complain(text) }
        if let captured = run.captured {
            try await Console.print(json: RunResult(run.status, captured, exitCode: ending.exitCode))
        }
        if ending.exitCode != 0 { throw ExitCode(ending.exitCode) }
    }

    /// Nobody is left with a job that goes on unseen: it is stopped when that was wanted, else its id is told.
    ///
    /// - Returns: what the command ends with.
    private func ending(of id: String, after error: any Error, _ client: MagsClient) async -> any Error {
        switch error {
        case is ExitCode: return error
        case var interrupted as Interrupted:
            interrupted.outcome = await RunCommand.stop(id, client, why: "interrupted", quiet: manners.quiet)
            return interrupted
        case is ClosedPipe where !detach:
            // A local script would be ended by the same write.
            await RunCommand.stop(id, client, why: "nobody reads the output any more", quiet: true)
        case let error as MagsError where error.code == "file_unwritable" && !detach:
            await RunCommand.stop(id, client, why: "the output cannot be written", quiet: manners.quiet)
        case var error as MagsError:
            let advice = "job \(id) may still be running: mags logs -f \(id), mags stop \(id)"
            error.hint = error.hint.map { "\($0)\n\(advice)" } ?? advice
            return error
        default:
            await Console.complain("job \(id) may still be running: mags logs -f \(id), mags stop \(id)")
        }
        return error
    }

    /// - Returns: what came of it, for people; also said on standard error.
    @discardableResult
    private static func stop(_ id: String, _ client: MagsClient, why: String, quiet: Bool) async -> String {
        do {
            try await client.stop(id)
            let text = "\(why): job \(id) is stopped"
            if !quiet { await Console.complain(text) }
            return text
        } catch {
            let text = "\(why), but job \(id) could not be stopped: \(error)"
            await Console.complain("\(text)\nstop it with: mags stop \(id)")
            return text
        }
    }
}
