import ArgumentParser
import MagsAPI
import MagsClient

extension RunCommand {
    func follow(
        _ id: String, _ client: MagsClient, _ interrupts: Interrupts, _ captured: CapturedOutput?
    ) async throws {
        let printer = OutputPrinter(captured: captured, quiet: manners.quiet)
        let run = try await interrupts.race { try await printer.print(client.output(of: id)) }
        let ending = run.ending
        if let text = ending.text { await Console.complain(text) }
        if let captured {
            try await Console.print(json: RunResult(run.status, captured, exitCode: ending.exitCode))
        }
        if ending.exitCode != 0 { throw ExitCode(ending.exitCode) }
    }

    /// Nobody is left with a job that goes on unseen: it is stopped when that was wanted, else its id is told.
    ///
    /// - Returns: what the command ends with.
    func ending(
        of id: String, after error: any Error, _ client: MagsClient, _ captured: CapturedOutput?
    ) async -> any Error {
        switch error {
        case is ExitCode: return error
        case var interrupted as Interrupted:
            let outcome = await RunCommand.stop(id, client, why: "interrupted", quiet: manners.quiet)
            interrupted.outcome = outcome
            let failure = MagsError("interrupted", outcome)
            await document(id, client, captured, exitCode: 128 + interrupted.signal, failure)
            return interrupted
        case is ClosedPipe where !detach:
            // A local script would be ended by the same write.
            await RunCommand.stop(id, client, why: "nobody reads the output any more", quiet: true)
        case let error as MagsError where error.code == "file_unwritable" && !detach:
            await RunCommand.stop(id, client, why: "the output cannot be written", quiet: manners.quiet)
        case var error as MagsError:
            let advice = RunCommand.advice(on: id, after: error)
            error.hint = error.hint.map { "\($0)\n\(advice)" } ?? advice
            await document(id, client, captured, exitCode: MagsExit.code(of: error), error)
            return error
        default:
            await Console.complain("job \(id) may still be running: mags logs -f \(id), mags stop \(id)")
        }
        return error
    }

    /// What is known of a job that could not be followed to its end. A server that was stopped in order has ended the jobs
    /// that ran; the machines of one that was killed go on and wait for it.
    private static func advice(on id: String, after error: MagsError) -> String {
        switch error.code {
        case "server_stopped":
            "job \(id) ended with the server if it ran, and runs after the server's next start if it still waited: "
                + "mags status \(id) says which, once the server is back"
        case "unreachable", "connection_lost", "timed_out":
            "what became of job \(id) is not known: it may be running, or have ended with its server. Once the server can "
                + "be reached again: mags status \(id), mags logs -f \(id), mags stop \(id)"
        default: "job \(id) may still be running: mags logs -f \(id), mags stop \(id)"
        }
    }

    /// The one document, with the job's state where the server still says it.
    private func document(
        _ id: String, _ client: MagsClient, _ captured: CapturedOutput?, exitCode: Int32, _ failure: MagsError
    ) async {
        guard let captured, !StandardStream.output.hasBegun else { return }
        let status = try? await client.status(of: id)
        try? await Console.print(
            json: RunResult(status, captured, exitCode: exitCode, ids: ["request_id": id], failure: failure))
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
