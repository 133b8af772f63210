public import MagsModel

/// What a node tells the control plane.
public enum Report: Sendable, Codable {
    /// Waits for a machine.
    case pending(JobID)
    case running(JobID, RunningMachine)
    /// Repeated on every new connection until it is settled.
    case ended(JobID, JobOutcome, RunningMachine?)
    case inventoryEnd
    /// What a follower would get next is kept no longer. It goes on at this record offset, with what the streams have
    /// from these positions on.
    case outputSkipped(reader: UInt32, to: UInt64, stdout: UInt64, stderr: UInt64)
    /// A follower got everything there is of a job that has ended.
    case outputEnd(reader: UInt32)
    /// The node has nothing of this job.
    case outputUnknown(reader: UInt32)
    /// What the node has of the job's output cannot be read, or not from here on.
    case outputUnreadable(reader: UInt32)
    case pool(request: UInt32, PoolStatus)
    case diagnosis(request: UInt32, [Finding])
}

/// The machine that runs a job.
public struct RunningMachine: Sendable, Codable, Equatable {
    public var machine: MachineID
    /// `kvm` or `tcg`.
    public var accelerator: String
    /// The image's name and digest.
    public var image: String
    /// Microseconds since 1970 at which the script was started.
    public var startedAt: Int64
    public init(machine: MachineID, accelerator: String, image: String, startedAt: Int64) {
        self.machine = machine
        self.accelerator = accelerator
        self.image = image
        self.startedAt = startedAt
    }
}

public struct PoolStatus: Sendable, Codable, Equatable {
    public var idle: Int
    public var busy: Int
    public var warming: Int
    public var restingSize: Int
    /// Jobs that wait for a machine.
    public var waiting: Int
    public init(idle: Int, busy: Int, warming: Int, restingSize: Int, waiting: Int) {
        self.idle = idle
        self.busy = busy
        self.warming = warming
        self.restingSize = restingSize
        self.waiting = waiting
    }
}
