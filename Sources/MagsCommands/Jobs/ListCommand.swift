import ArgumentParser
import MagsAPI
import MagsClient

struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List jobs, newest first.")

    @Option(help: "Which page, from 1.")
    var page = 1
    @Option(help: "Jobs on a page, 1 to 100.")
    var pageSize = 20
    @Option(help: "Only jobs with this status.")
    var status: String?
    @Option(name: [.customShort("w"), .long], help: "Only jobs of this workspace.")
    var workspace: String?
    @Option(help: "Only jobs of this name.")
    var name: String?
    @OptionGroup var output: JSONOption

    func run() async throws {
        let list = try await MagsClient(environment: Console.environment).jobs(
            page: page, pageSize: pageSize, status: status, workspaceID: workspace, name: name)
        if output.json { return try await Console.print(json: list) }
        var table = Table("JOB", "STATUS", "EXIT", "CREATED", "NAME")
        for job in list.jobs {
            table.add(job.requestID, job.status, job.exitCode.map { "\($0)" } ?? "-", job.createdAt, job.name)
        }
        try await Console.print(table.text)
        if let next = ListCommand.nextPage(of: list) {
            await Console.note("\(list.total) jobs in all; --page \(next) shows older ones", quiet: false)
        }
    }

    /// - Returns: nil when there is none, or the server's numbers make no sense.
    static func nextPage(of list: JobList) -> Int? {
        let (seen, isTooMany) = list.page.multipliedReportingOverflow(by: list.pageSize)
        guard !isTooMany, list.page > 0, list.pageSize > 0, seen < list.total else { return nil }
        return list.page + 1
    }
}
