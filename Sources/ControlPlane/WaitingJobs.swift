import MagsModel

/// The jobs that wait for a machine: how many, and how large. Both have a limit, since the store and the host keep
/// every one of them whole.
struct WaitingJobs: Sendable {
    static let maximumBytes = 256 << 20

    private var sizes: [JobID: Int] = [:]
    private var bytes = 0
    /// Submissions that are being taken.
    private var arriving = 0

    /// Keeps a place for a submission until `arrived` or `turnedAway`.
    mutating func expect() throws(Problem) {
        guard sizes.count + arriving < Limits.pendingJobs else {
            throw Problem(
                429, "too_many_pending_jobs", "\(Limits.pendingJobs) jobs wait for a machine already.",
                hint: "Try again later.", isRetryable: true)
        }
        guard bytes < WaitingJobs.maximumBytes else {
            throw Problem(
                429, "too_many_pending_bytes",
                "The scripts and environments of the jobs that wait for a machine fill "
                    + "\(WaitingJobs.maximumBytes >> 20) MiB already.",
                hint: "Try again later, and upload large data with POST /api/v1/mags-files.", isRetryable: true)
        }
        arriving += 1
    }

    mutating func arrived(_ id: JobID, size: Int) {
        arriving -= 1
        add(id, size: size)
    }

    mutating func turnedAway() { arriving -= 1 }

    mutating func add(_ id: JobID, size: Int) {
        bytes += size - (sizes.updateValue(size, forKey: id) ?? 0)
    }

    mutating func remove(_ id: JobID) { bytes -= sizes.removeValue(forKey: id) ?? 0 }
}
