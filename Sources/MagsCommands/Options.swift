import ArgumentParser

struct JSONOption: ParsableArguments {
    @Flag(name: .long, help: "Print one JSON document.")
    var json = false
}

struct QuietOption: ParsableArguments {
    @Flag(name: [.customShort("q"), .customLong("quiet")], help: "Say nothing but the script's output and errors.")
    var quiet = false
}

struct JobArgument: ParsableArguments {
    /// Names are not unique.
    static let rule = """
        A name means the newest job of that name that runs, else the newest of that workspace that runs, else the \
        newest of that name, else of that workspace. One that was started twice is told apart by the ids that \
        `mags list --name NAME` shows.
        """

    @Argument(
        help: "The job's request_id, its name, or its workspace's name.",
        completion: .custom { _, _, _ in await KnownJobs.names() })
    var job: String

    func validate() throws {
        guard !job.isEmpty else { throw ValidationError("A job's name must not be empty.") }
    }
}
