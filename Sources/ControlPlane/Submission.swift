import MagsModel
package import Store

/// What a caller asks for, its types checked and nothing else.
package struct Submission: Sendable {
    package var owner: Owner
    package var script: String
    package var type: String?
    package var name: String?
    package var workspaceID: String?
    package var baseWorkspaceID: String?
    package var isPersistent = false
    package var neverSleeps = false
    package var neverSyncs = false
    package var startupCommand: String?
    package var environment: [String: String] = [:]
    package var fileIDs: [String] = []
    package var diskGigabytes: Int?
    package var rootfsType: String?
    package var timeoutSeconds: Int?
    package var processors: Int?
    package var memoryMebibytes: Int?
    package var idleMinutes: Int?

    package init(owner: Owner, script: String) {
        self.owner = owner
        self.script = script
    }
}

/// A submission that keeps every rule, its defaults filled in.
package struct JobPlan: Sendable, Equatable {
    package enum Source: Sendable, Equatable {
        case text(String)
        case address(String)
    }

    package var source: Source
    package var name: String?
    package var workspaceID: String?
    package var environment: [String: String]
    package var fileIDs: [String]
    package var timeoutSeconds: Int
    package var processors: Int
    package var memoryMebibytes: Int
    package var diskGigabytes: Int?
}
