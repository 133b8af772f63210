package import MagsModel

extension Problem {
    /// The server's disk has no room for what was to be kept.
    package static let diskFull = Problem(
        507, "disk_full", "The server's disk is full: nothing more can be kept.",
        hint: "Free some disk space on the server; what runs goes on meanwhile.", isRetryable: true)
}
