import ArgumentParser
import MagsAPI
import MagsClient

struct StopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "stop", abstract: "End a job and its machine.")

    @OptionGroup var job: JobArgument
    @OptionGroup var output: JSONOption
    @OptionGroup var manners: QuietOption

    func run() async throws {
        let reply = try await MagsClient(environment: Console.environment).stop(job.job)
        if output.json { return try await Console.print(json: reply) }
        guard !manners.quiet else { return }
        let text = reply.status == "stopped" ? "\(job.job) is stopped." : "\(job.job) had ended: \(reply.status)."
        try await Console.print(printable(text))
    }
}
