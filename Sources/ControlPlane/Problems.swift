package import MagsModel
import Store

extension Problem {
    /// A field breaks a rule; `rule` goes on where the field's name ends.
    package static func invalid(_ field: String, _ rule: String, hint: String? = nil) -> Problem {
        Problem(400, "invalid_field", "\(field) \(rule)", hint: hint)
    }

    /// The field is known, what it asks for is not built yet.
    package static func notAvailableYet(_ field: String, _ hint: String = "Leave it out.") -> Problem {
        Problem(400, "not_available_yet", "\(field) is not available on this server yet.", hint: hint)
    }

    /// The node's connection is lost: it starts, or it is started again.
    package static let nodeUnavailable = Problem(
        503, "node_unavailable", "The host that runs the machines does not answer.",
        hint: "It is started again by itself; `mags doctor` says more.", isRetryable: true)

    /// The host cannot read its own file.
    static let outputUnreadable = Problem(
        500, "output_unreadable", "The host cannot read what it kept of the job's output.",
        hint: "The host role's log says why: a damaged disk, or too many open files.")

    /// The last word to those who follow a job while the server is stopped.
    package static let serverStopped = Problem(
        503, "server_stopped", "The server is being stopped: nothing can be followed on it any more.",
        hint: "Follow the job again when the server is back; its status says what became of it.", isRetryable: true)

    static func machineNotRunning(_ job: JobRecord) -> Problem {
        let reason =
            switch job.state {
            case .pending: "it still waits for its machine"
            case .sleeping: "it sleeps"
            default: "it has ended"
            }
        return Problem(
            409, "machine_not_running", "The machine of job \(job.id) is not running: \(reason).",
            hint: job.state == .pending ? "Try again when its status is running." : nil,
            isRetryable: job.state == .pending)
    }

    static func jobNotFound(_ text: String) -> Problem {
        Problem(
            404, "job_not_found", "Job '\(text.prefix(128))' not found.",
            hint: "`mags list` shows the jobs there are.")
    }
}
