import MagsClient

/// Says once that the connection is lost, however many attempts fail, and once that it stands again.
struct ConnectionNotes {
    let quiet: Bool
    private var isLost = false

    init(quiet: Bool) { self.quiet = quiet }

    mutating func lost(_ error: MagsError) async {
        guard !isLost else { return }
        isLost = true
        await Console.note("\(error.message); trying again", quiet: quiet)
    }

    /// Of everything that comes: the first of it after a loss shows that it is over.
    mutating func stands() async {
        guard isLost else { return }
        isLost = false
        await Console.note("connected again", quiet: quiet)
    }
}
