/// What a caller can make grow, and how far.
public enum Limits {
    public static let scriptBytes = 1 << 20
    public static let environmentEntries = 1024
    public static let environmentBytes = 256 * 1024
    public static let nameCharacters = 128
    public static let workspaceNameCharacters = 63
    public static let uploadBytes = 1 << 30
    public static let filesPerJob = 64
    /// The log kept per job; each record counts `logRecordOverhead` more.
    public static let logBytes = 64 << 20
    public static let logRecordOverhead = 64
    public static let requestBodyBytes = 8 << 20
    /// From a job's end on; with its log.
    public static let jobDays = 30
    /// Of a command's folder.
    public static let directoryBytes = 4096
    public static let headerFieldBytes = 16 * 1024
    public static let headerBytes = 64 * 1024
    public static let defaultTimeoutSeconds = 24 * 3600
    public static let maximumTimeoutSeconds = 30 * 24 * 3600
    public static let pageSize = 20
    public static let maximumPageSize = 100
    /// Jobs that may wait for a machine before a submission is refused with 429 and `Retry-After`.
    public static let pendingJobs = 10_000
    /// Commands that run at once in one job's machine, and in all.
    public static let execsPerJob = 200
    public static let execs = 2000
    /// Of the commands that have not begun: they are held in memory.
    public static let pendingExecBytes = 256 << 20
    /// Of a call that waits for the command's end.
    public static let defaultExecSeconds = 30
    /// Of each stream in such a call's reply.
    public static let execReplyBytes = 4 << 20
    public static let defaultMemoryMebibytes = 1024
    public static let defaultProcessors = 1
    public static let maximumDiskGigabytes = 1024
}
