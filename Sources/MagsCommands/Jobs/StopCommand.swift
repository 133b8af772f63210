import ArgumentParser
import MagsAPI
import MagsClient

struct StopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "End a job and its machine.", discussion: JobArgument.rule)

    @OptionGroup var job: JobArgument
    @OptionGroup var output: JSONOption
    @OptionGroup var manners: QuietOption

    func run() async throws {
        let client = try MagsClient(environment: Console.environment)
        // By its id: the call may be made again, and a name would then stand for the next job that is called so.
        let id = try await client.status(of: job.job).requestID
        let reply = try await client.stop(id)
        if output.json { return try await Console.print(json: reply) }
        guard !manners.quiet else { return }
        let name = job.job == id ? "job \(id)" : "job \(id) (\(job.job))"
        let text = reply.status == "stopped" ? "\(name) is stopped." : "\(name) had ended: \(reply.status)."
        try await Console.print(printable(text))
    }
}
