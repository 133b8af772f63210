public import MagsModel

/// What the control plane tells a node. Every assignment may be sent again: after a lost connection the control plane
/// repeats what has no report yet.
public enum Assignment: Sendable, Codable {
    /// Run this job; answered by reports. A job that the node knows already is not started again.
    case start(JobAssignment)
    /// End the job's script and its machine.
    case stop(JobID)
    /// Send the job's output from this record offset on, then live, as `records` frames; `credit` bytes of them at most
    /// until `consume`. `reader` names the subscription on this connection.
    case follow(reader: UInt32, job: JobID, from: UInt64, credit: Int)
    /// The reader has taken this many bytes of records.
    case consume(reader: UInt32, bytes: Int)
    /// The reader is gone.
    case unfollow(reader: UInt32)
    /// The job's end is stored; the node need not report it again.
    case settle(JobID)
    /// The job's output is no longer wanted.
    case forget(JobID)
    /// All jobs that the node knows: answered by one report for each, then `inventoryEnd`.
    case inventory
    /// Answered by `pool`.
    case pool(request: UInt32)
    /// Answered by `diagnosis`.
    case diagnose(request: UInt32)
}

/// All that a node needs to run a job.
public struct JobAssignment: Sendable, Codable {
    public struct Upload: Sendable, Codable {
        /// Where the control plane keeps the bytes on this host.
        public var source: String
        /// The name under `/uploads`.
        public var name: String
        public init(source: String, name: String) {
            self.source = source
            self.name = name
        }
    }

    public var id: JobID
    public var script: String
    public var environment: [String: String]
    public var timeoutSeconds: Int
    public var uploads: [Upload]
    public var image: String
    public var memoryMebibytes: Int
    public var processors: Int
    /// The size of the machine's own disk; nil for none.
    public var diskGigabytes: Int?
    /// False: a fresh interpreter instead of a waiting one.
    public var mayUseWaiting: Bool
    /// Runs beside this job's script, in its machine, instead of in a machine of its own: an exec. It ends with the
    /// machine, and when the machine does not run it ends at once, `failed` with the code `machine_not_running`.
    public var inside: JobID?
    /// Where it starts; nil for `/root`.
    public var directory: String?

    public init(
        id: JobID, script: String, environment: [String: String], timeoutSeconds: Int, uploads: [Upload] = [],
        image: String = "standard", memoryMebibytes: Int = Limits.defaultMemoryMebibytes,
        processors: Int = Limits.defaultProcessors, diskGigabytes: Int? = nil, mayUseWaiting: Bool = true,
        inside: JobID? = nil, directory: String? = nil
    ) {
        self.id = id
        self.script = script
        self.environment = environment
        self.timeoutSeconds = timeoutSeconds
        self.uploads = uploads
        self.image = image
        self.memoryMebibytes = memoryMebibytes
        self.processors = processors
        self.diskGigabytes = diskGigabytes
        self.mayUseWaiting = mayUseWaiting
        self.inside = inside
        self.directory = directory
    }
}
