public import MagsModel

/// `GET /api/v1/mags-jobs/pool-status`.
public struct PoolStatusReply: Sendable, Codable, Equatable {
    public var idleVMs: Int
    public var busyVMs: Int
    public var totalVMs: Int
    public var minPoolSize: Int
    /// 0: no fixed maximum.
    public var maxPoolSize: Int
    /// Idle machines that the pool comes back to when nobody asks for any.
    public var restingSize: Int
    public var warmingVMs: Int
    /// Jobs that wait for a machine.
    public var waitingJobs: Int

    public init(
        idleVMs: Int, busyVMs: Int, totalVMs: Int, minPoolSize: Int, maxPoolSize: Int, restingSize: Int,
        warmingVMs: Int, waitingJobs: Int
    ) {
        self.idleVMs = idleVMs
        self.busyVMs = busyVMs
        self.totalVMs = totalVMs
        self.minPoolSize = minPoolSize
        self.maxPoolSize = maxPoolSize
        self.restingSize = restingSize
        self.warmingVMs = warmingVMs
        self.waitingJobs = waitingJobs
    }

    public enum CodingKeys: String, CodingKey {
        case idleVMs = "idle_vms"
        case busyVMs = "busy_vms"
        case totalVMs = "total_vms"
        case minPoolSize = "min_pool_size"
        case maxPoolSize = "max_pool_size"
        case restingSize = "resting_size"
        case warmingVMs = "warming_vms"
        case waitingJobs = "waiting_jobs"
    }
}

/// `POST /api/v1/mags-files`: an upload, kept until 24 hours after its last use.
public struct UploadReply: Sendable, Codable, Equatable {
    public var fileID: String
    public var name: String
    public var size: Int

    public init(fileID: String, name: String, size: Int) {
        self.fileID = fileID
        self.name = name
        self.size = size
    }

    public enum CodingKeys: String, CodingKey {
        case fileID = "file_id"
        case name, size
    }
}

/// `GET /api/v1/whoami`: whom the token speaks for.
public struct Identity: Sendable, Codable, Equatable {
    public var name: String
    public var organisation: String
    public var tokenName: String

    public init(name: String, organisation: String, tokenName: String) {
        self.name = name
        self.organisation = organisation
        self.tokenName = tokenName
    }

    public enum CodingKeys: String, CodingKey {
        case name, organisation
        case tokenName = "token_name"
    }
}

/// `GET /api/v1/doctor`: what the server and its node found about themselves.
public struct DoctorReply: Sendable, Codable, Equatable {
    public var findings: [Finding]
    public init(findings: [Finding]) { self.findings = findings }
}

/// `GET /health`.
public struct HealthReply: Sendable, Codable, Equatable {
    /// `ok`, or `no node` while the node's connection is lost.
    public var status: String
    /// The server's; absent from one that is older than this field.
    public var version: String?

    public init(status: String, version: String? = nil) {
        self.status = status
        self.version = version
    }
}

/// Every answer of 400 and above.
public struct ErrorReply: Sendable, Codable, Equatable {
    /// What happened and why, for people.
    public var error: String
    /// Stable: part of the API.
    public var code: String
    /// Names this request in the server's log.
    public var requestID: String
    /// What to do next, when it is not plain from `error`.
    public var hint: String?
    public var retryable: Bool

    public init(error: String, code: String, requestID: String, hint: String? = nil, retryable: Bool = false) {
        self.error = error
        self.code = code
        self.requestID = requestID
        self.hint = hint
        self.retryable = retryable
    }

    public enum CodingKeys: String, CodingKey {
        case error, code, hint, retryable
        case requestID = "request_id"
    }
}
