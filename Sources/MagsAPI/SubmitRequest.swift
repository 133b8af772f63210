/// `POST /api/v1/mags-jobs`: a script and the settings that it runs with.
///
/// Only `script` is required. A field that the server does not know is refused, never ignored.
public struct SubmitRequest: Sendable, Codable, Equatable {
    /// The script's text, or with `type` `url` the address that the server fetches it from.
    public var script: String
    /// `inline` (default) or `url`.
    public var type: String?
    public var name: String?
    public var workspaceID: String?
    public var baseWorkspaceID: String?
    public var persistent: Bool?
    public var noSleep: Bool?
    public var noSync: Bool?
    public var startupCommand: String?
    /// Variables of the script. Keys that begin with `__MAGS_` are settings and are not seen inside.
    public var environment: [String: String]?
    /// Uploads that lie under `/uploads` before the script starts.
    public var fileIDs: [String]?
    public var diskGB: Int?
    public var rootfsType: String?
    /// Seconds that the script may run; then it ends with exit code 124.
    public var timeout: Int?
    public var vcpus: Int?
    public var memoryMB: Int?
    /// Minutes without use after which a persistent machine goes to sleep.
    public var idleMinutes: Int?

    public init(
        script: String, type: String? = nil, name: String? = nil, workspaceID: String? = nil,
        baseWorkspaceID: String? = nil, persistent: Bool? = nil, noSleep: Bool? = nil, noSync: Bool? = nil,
        startupCommand: String? = nil, environment: [String: String]? = nil, fileIDs: [String]? = nil,
        diskGB: Int? = nil, rootfsType: String? = nil, timeout: Int? = nil, vcpus: Int? = nil, memoryMB: Int? = nil,
        idleMinutes: Int? = nil
    ) {
        self.script = script
        self.type = type
        self.name = name
        self.workspaceID = workspaceID
        self.baseWorkspaceID = baseWorkspaceID
        self.persistent = persistent
        self.noSleep = noSleep
        self.noSync = noSync
        self.startupCommand = startupCommand
        self.environment = environment
        self.fileIDs = fileIDs
        self.diskGB = diskGB
        self.rootfsType = rootfsType
        self.timeout = timeout
        self.vcpus = vcpus
        self.memoryMB = memoryMB
        self.idleMinutes = idleMinutes
    }

    public enum CodingKeys: String, CodingKey, CaseIterable {
        case script, type, name, persistent, environment, timeout, vcpus
        case workspaceID = "workspace_id"
        case baseWorkspaceID = "base_workspace_id"
        case noSleep = "no_sleep"
        case noSync = "no_sync"
        case startupCommand = "startup_command"
        case fileIDs = "file_ids"
        case diskGB = "disk_gb"
        case rootfsType = "rootfs_type"
        case memoryMB = "memory_mb"
        case idleMinutes = "idle_minutes"
    }
}

/// The answer to a submission: 202.
public struct SubmitReply: Sendable, Codable, Equatable {
    public var requestID: String
    /// Always `accepted`.
    public var status: String
    /// For people.
    public var message: String

    public init(requestID: String, status: String = "accepted", message: String) {
        self.requestID = requestID
        self.status = status
        self.message = message
    }

    public enum CodingKeys: String, CodingKey {
        case requestID = "request_id"
        case status, message
    }
}
