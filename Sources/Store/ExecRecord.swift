package import MagsModel

/// A command that runs in a job's machine beside its script, as it is kept. Times are microseconds since 1970.
///
/// Whose it is, its job says. What it runs is not kept: only the node needs it, once.
package struct ExecRecord: Sendable, Equatable {
    package enum State: String, Sendable {
        case pending, running, ended
    }

    /// Names it on the node, where it is a job inside another.
    package var id: JobID
    package var job: JobID
    /// The caller's name for the request, unique in the job: the same request again means the same exec.
    package var key: String?
    /// What the request asked for, so that another one under the same key is noticed.
    package var fingerprint: [UInt8]
    package var timeoutSeconds: Int
    package var createdAt: Int64
    /// Nil: it has not run as far as is known.
    package var startedAt: Int64?
    package var end: JobEnd?
    /// Somebody asked for its end before there was one.
    package var isStopRequested: Bool

    package init(
        id: JobID, job: JobID, key: String? = nil, fingerprint: [UInt8] = [], timeoutSeconds: Int, createdAt: Int64,
        startedAt: Int64? = nil, end: JobEnd? = nil, isStopRequested: Bool = false
    ) {
        self.id = id
        self.job = job
        self.key = key
        self.fingerprint = fingerprint
        self.timeoutSeconds = timeoutSeconds
        self.createdAt = createdAt
        self.startedAt = startedAt
        self.end = end
        self.isStopRequested = isStopRequested
    }

    package var state: State { end != nil ? .ended : startedAt != nil ? .running : .pending }
    /// Past it, it is not begun any more.
    package var deadline: Int64 { createdAt + Int64(timeoutSeconds) * 1_000_000 }
}
