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
        for name in jobs.map(\.name) where !names.contains(name) { names.append(name) }
        return (names + jobs.map(\.requestID)).filter(isPlain)
    }

    /// Whether a shell sees one word in it, and that word only: bash expands what it is offered, `$(…)` and quotes too,
    /// and zsh takes what stands behind a colon for a description. Whoever may name a job could run commands at the
    /// prompts of those who complete it.
    private static func isPlain(_ word: String) -> Bool {
        guard let first = word.utf8.first, first != UInt8(ascii: "-") else { return false }
        return word.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "._@+-".utf8.contains(byte)
            }
        }
    }
}
