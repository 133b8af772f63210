import ArgumentParser
import MagsAPI
import MagsClient

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show how a job stands.", discussion: JobArgument.rule)

    @OptionGroup var job: JobArgument
    @OptionGroup var output: JSONOption

    func run() async throws {
        let status = try await MagsClient(environment: Console.environment).status(of: job.job)
        if output.json { return try await Console.print(json: status) }
        try await Console.print(StatusCommand.text(status))
    }

    static func text(_ status: JobStatus) -> String {
        let lines: [(String, String?)] = [
            ("job", status.requestID), ("name", status.name), ("status", status.status),
            ("script", status.scriptStatus), ("machine", status.vmStatus), ("vm", status.vmID),
            ("workspace", status.workspaceID), ("url", status.url), ("exit code", status.exitCode.map { "\($0)" }),
            ("error", status.error), ("created", status.createdAt), ("started", status.startedAt),
            ("finished", status.finishedAt), ("ran", status.scriptDurationMS.map { "\($0) ms" }),
            ("timeout", "\(status.timeout) s"), ("image", status.image), ("accelerator", status.accelerator),
        ]
        return lines.compactMap { name, value in
            value.map { name + String(repeating: " ", count: 13 - name.count) + printable($0) }
        }.joined(separator: "\n")
    }
}
