import ArgumentParser
import MagsAPI
import MagsClient

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", _superCommandName: "mags",
        abstract: "Run a script in a microVM and stream its output.",
        usage: "mags run [<options>] <script>",
        discussion: """
            A script that begins with - stands behind --. What runs has no standard input: it reads /dev/null.

            The exit code is the script's own; 128 + N when signal N ended it; 124 when its time was up; 64 when the \
            command line is wrong; 125 when Mags failed or it is not known how the job ended; 130 after Ctrl-C, which \
            stops the job.
            """)

    @Argument(
        help: "The script itself, the path of a file that holds it, or - for standard input.", completion: .file())
    var script: [String] = []

    @OptionGroup var settings: RunSettings
    @Flag(name: [.customShort("d"), .long], help: "Print the job's id and leave it running.")
    var detach = false
    @OptionGroup var output: JSONOption
    @OptionGroup var manners: QuietOption

    /// Not while the line is parsed: words too many are mostly those behind an option that does not exist, which the
    /// parser then names.
    private func checkWords() throws {
        guard !script.isEmpty else { throw ValidationError("A script is missing. Try: mags run 'echo hi'") }
        guard script.count == 1 else {
            throw ValidationError("One script is expected, not \(script.count) words. Quote it: mags run 'echo hi'")
        }
    }

    func run() async throws {
        try checkWords()
        let client = try MagsClient(environment: Console.environment)
        var request = settings.request(script: try await ScriptSource.text(of: script[0]))
        for note in settings.notes(onScript: script[0], isText: request.script == script[0]) where !manners.quiet {
            await Console.complain(note)
        }
        if settings.workspace != nil {
            await Console.note("the workspace's data is not kept yet, only its name", quiet: manners.quiet)
        }
        let interrupts = Interrupts()
        let (files, quiet) = (settings.files, manners.quiet)
        let ids = try await interrupts.race { try await RunCommand.upload(files, client, quiet) }
        request.fileIDs = ids.isEmpty ? nil : ids
        let submission = request
        let job: SubmitReply
        do {
            job = try await RunCommand.submit(submission, client, interrupts, quiet)
        } catch let error as MagsError {
            throw settings.inOwnWords(error)
        }
        let captured = output.json ? CapturedOutput() : nil
        do {
            // A signal that came while the job had no id yet.
            try interrupts.check()
            if detach { return try await tell(job) }
            try await follow(job.requestID, client, interrupts, captured)
        } catch {
            throw await ending(of: job.requestID, after: error, client, captured)
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
}
