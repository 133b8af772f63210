import ArgumentParser
import MagsAPI
import MagsClient

extension ExecCommand {
    /// By the job's id: a name may stand for another job when the connection is taken up again.
    func follow(
        _ exec: ExecStatus, _ client: MagsClient, _ interrupts: Interrupts, _ captured: CapturedOutput?
    ) async throws {
        let printer = OutputPrinter(captured: captured, quiet: manners.quiet)
        let run = try await interrupts.race {
            try await printer.print(client.output(ofExec: exec.execID, in: exec.requestID))
        }
        let ending = run.ending
        if let text = ending.text { await Console.complain(text) }
        if let captured { try await Console.print(json: RunResult(run.status, captured, exitCode: ending.exitCode)) }
        if ending.exitCode != 0 { throw ExitCode(ending.exitCode) }
    }

    /// Nobody is left with a command that goes on unseen: it is stopped when that was wanted, else that is told.
    ///
    /// - Returns: what `mags` ends with.
    func ending(
        of exec: ExecStatus, after error: any Error, _ client: MagsClient, _ captured: CapturedOutput?
    ) async -> any Error {
        switch error {
        case is ExitCode: return error
        case var interrupted as Interrupted:
            let outcome = await stop(exec, client, why: "interrupted", quiet: manners.quiet)
            interrupted.outcome = outcome
            let failure = MagsError("interrupted", outcome)
            await document(exec, client, captured, exitCode: 128 + interrupted.signal, failure)
            return interrupted
        case is ClosedPipe:
            await stop(exec, client, why: "nobody reads the output any more", quiet: true)
        case let error as MagsError where error.code == "file_unwritable":
            await stop(exec, client, why: "the output cannot be written", quiet: manners.quiet)
        case var error as MagsError:
            let advice =
                "what became of the command is not known: it may still run, until its time is up or its job ends"
            error.hint = error.hint.map { "\($0)\n\(advice)" } ?? advice
            await document(exec, client, captured, exitCode: MagsExit.code(of: error), error)
            return error
        default: await Console.complain("the command may still be running in job \(exec.requestID)")
        }
        return error
    }

    /// The one document, with the command's state where the server still says it.
    private func document(
        _ exec: ExecStatus, _ client: MagsClient, _ captured: CapturedOutput?, exitCode: Int32, _ failure: MagsError
    ) async {
        guard let captured, !StandardStream.output.hasBegun else { return }
        let status = try? await client.status(ofExec: exec.execID, in: exec.requestID)
        let ids = ["exec_id": exec.execID, "request_id": exec.requestID]
        try? await Console.print(json: RunResult(status, captured, exitCode: exitCode, ids: ids, failure: failure))
    }

    /// - Returns: what came of it, for people; also said on standard error.
    @discardableResult
    private func stop(_ exec: ExecStatus, _ client: MagsClient, why: String, quiet: Bool) async -> String {
        do {
            try await client.stopExec(exec.execID, in: exec.requestID)
            let text = "\(why): the command is stopped"
            if !quiet { await Console.complain(text) }
            return text
        } catch {
            let text = "\(why), but the command could not be stopped: \(error)"
            await Console.complain("\(text)\nit ends with its job: mags stop \(exec.requestID)")
            return text
        }
    }
}
