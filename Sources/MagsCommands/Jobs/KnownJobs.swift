import MagsAPI
import MagsClient

/// What the shell completes a job to.
enum KnownJobs {
    /// - Returns: names and ids of the newest jobs; nothing when the server does not say so at once, since somebody waits
    ///   at a prompt.
    static func names() async -> [String] {
        let list = try? await Deadline.within(.seconds(2), orThrow: MagsError("timed_out", "too late")) {
            try await MagsClient(environment: Console.environment, retries: .never).jobs(pageSize: 50)
        }
        let jobs = list?.jobs ?? []
        var names: [String] = []
        for name in jobs.map(\.name) where !names.contains(name) && printable(name) == name { names.append(name) }
        return names + jobs.map(\.requestID)
    }
}
