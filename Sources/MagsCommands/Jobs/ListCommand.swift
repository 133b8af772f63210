import ArgumentParser
import MagsAPI
import MagsClient
import MagsModel

struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List jobs, newest first.")

    @Option(help: "Which page, from 1.")
    var page = 1
    @Option(help: "Jobs on a page, 1 to 100.")
    var pageSize = 20
    @Option(
        help: "Only jobs with this status: \(states.joined(separator: ", ")).",
        completion: .list(states))
    var status: String?
    @Option(name: [.customShort("w"), .long], help: "Only jobs of this workspace.")
    var workspace: String?
    @Option(help: "Only jobs of this name.")
    var name: String?
    @OptionGroup var output: JSONOption

    private static let states = JobState.allCases.map(\.rawValue)

    func validate() throws {
        guard page >= 1 else { throw ValidationError("--page is 1 or more.") }
        guard (1...Limits.maximumPageSize).contains(pageSize) else {
            throw ValidationError("--page-size is 1 to \(Limits.maximumPageSize).")
        }
        if let status, !ListCommand.states.contains(status) {
            let meant = UnknownCommand.nearest(to: status, among: ListCommand.states).map { " Did you mean '\($0)'?" }
            throw ValidationError(
                "--status is one of \(ListCommand.states.joined(separator: ", ")).\(meant ?? "")")
        }
    }

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
