/// A job as `…/status` and the list show it. Times are RFC 3339 in UTC.
public struct JobStatus: Sendable, Codable, Equatable {
    public var requestID: String
    public var name: String
    /// `pending`, `running`, `sleeping`, `completed`, `error` or `stopped`; the last three are final.
    public var status: String
    /// The script's own state: `pending`, `running`, `completed`, `error` or `stopped`.
    public var scriptStatus: String
    /// The machine's own state: `running`, `sleeping` or `stopped`; absent before there is one.
    public var vmStatus: String?
    /// Present whenever `status` is `running`.
    public var vmID: String?
    public var workspaceID: String?
    public var subdomain: String
    public var url: String?
    /// Absent until the script has ended, and for a script that never ran.
    public var exitCode: Int?
    public var scriptDurationMS: Int?
    public var createdAt: String
    public var startedAt: String?
    public var finishedAt: String?
    /// Why the job ended as `error`, for people, and its stable word.
    public var error: String?
    public var errorCode: String?
    public var persistent: Bool
    public var noSleep: Bool
    public var idleMinutes: Int?
    public var startupCommand: String?
    /// Whether the workspace's last state is in the object store.
    public var committed: Bool?
    /// `kvm` or `tcg`.
    public var accelerator: String?
    /// The image's name and digest.
    public var image: String?
    /// Seconds that the script may run.
    public var timeout: Int
    public var vcpus: Int
    public var memoryMB: Int
    /// The size of the machine's own disk; absent for a job that asked for none.
    public var diskGB: Int?

    public init(
        requestID: String, name: String, status: String, scriptStatus: String, vmStatus: String? = nil,
        vmID: String? = nil, workspaceID: String? = nil, subdomain: String, url: String? = nil, exitCode: Int? = nil,
        scriptDurationMS: Int? = nil, createdAt: String, startedAt: String? = nil, finishedAt: String? = nil,
        error: String? = nil, errorCode: String? = nil, persistent: Bool = false, noSleep: Bool = false,
        idleMinutes: Int? = nil, startupCommand: String? = nil, committed: Bool? = nil, accelerator: String? = nil,
        image: String? = nil, timeout: Int, vcpus: Int, memoryMB: Int, diskGB: Int? = nil
    ) {
        self.requestID = requestID
        self.name = name
        self.status = status
        self.scriptStatus = scriptStatus
        self.vmStatus = vmStatus
        self.vmID = vmID
        self.workspaceID = workspaceID
        self.subdomain = subdomain
        self.url = url
        self.exitCode = exitCode
        self.scriptDurationMS = scriptDurationMS
        self.createdAt = createdAt
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.error = error
        self.errorCode = errorCode
        self.persistent = persistent
        self.noSleep = noSleep
        self.idleMinutes = idleMinutes
        self.startupCommand = startupCommand
        self.committed = committed
        self.accelerator = accelerator
        self.image = image
        self.timeout = timeout
        self.vcpus = vcpus
        self.memoryMB = memoryMB
        self.diskGB = diskGB
    }

    public enum CodingKeys: String, CodingKey {
        case name, status, subdomain, url, error, persistent, committed, accelerator, image, timeout, vcpus
        case requestID = "request_id"
        case scriptStatus = "script_status"
        case vmStatus = "vm_status"
        case vmID = "vm_id"
        case workspaceID = "workspace_id"
        case exitCode = "exit_code"
        case scriptDurationMS = "script_duration_ms"
        case createdAt = "created_at"
        case startedAt = "started_at"
        case finishedAt = "finished_at"
        case errorCode = "error_code"
        case noSleep = "no_sleep"
        case idleMinutes = "idle_minutes"
        case startupCommand = "startup_command"
        case memoryMB = "memory_mb"
        case diskGB = "disk_gb"
    }
}

/// A page of jobs, newest first.
public struct JobList: Sendable, Codable, Equatable {
    public var jobs: [JobStatus]
    /// All jobs that the filters let through, not only this page's.
    public var total: Int
    public var page: Int
    public var pageSize: Int

    public init(jobs: [JobStatus], total: Int, page: Int, pageSize: Int) {
        self.jobs = jobs
        self.total = total
        self.page = page
        self.pageSize = pageSize
    }

    public enum CodingKeys: String, CodingKey {
        case jobs, total, page
        case pageSize = "page_size"
    }
}

/// `POST …/stop`.
public struct StopReply: Sendable, Codable, Equatable {
    public var success: Bool
    /// The job's status now: `stopped`, or how it had ended before.
    public var status: String

    public init(success: Bool, status: String) {
        self.success = success
        self.status = status
    }
}

/// `PATCH /api/v1/mags-jobs/{id}`: answered with the job's status.
public struct UpdateRequest: Sendable, Codable, Equatable {
    public var startupCommand: String?
    public var noSleep: Bool?

    public init(startupCommand: String? = nil, noSleep: Bool? = nil) {
        self.startupCommand = startupCommand
        self.noSleep = noSleep
    }

    public enum CodingKeys: String, CodingKey, CaseIterable {
        case startupCommand = "startup_command"
        case noSleep = "no_sleep"
    }
}
