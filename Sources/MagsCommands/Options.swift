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
    @Argument(help: "The job's request_id, its name, or its workspace's name.")
    var job: String

    func validate() throws {
        guard !job.isEmpty else { throw ValidationError("A job's name must not be empty.") }
    }
}
