package import MagsModel

/// Whom a stored thing belongs to. One administrator in one organisation at first.
package struct Owner: Hashable, Sendable {
    package var user: String
    package var organisation: String

    package init(user: String, organisation: String) {
        self.user = user
        self.organisation = organisation
    }

    package static let administrator = Owner(user: "admin", organisation: "default")
}

/// A job as it is kept, without what only its start needs. Times are microseconds since 1970.
package struct JobRecord: Sendable, Equatable {
    package var id: JobID
    package var owner: Owner
    package var name: String
    package var workspaceID: String?
    package var timeoutSeconds: Int
    package var processors: Int
    package var memoryMebibytes: Int
    /// Nil: no disk of its own.
    package var diskGigabytes: Int?
    package var createdAt: Int64
    package var state: JobState
    /// Set in the transaction that sets `running`, or with an end that came without one.
    package var machine: MachineRecord?
    package var end: JobEnd?
    /// Somebody asked for its end before there was one.
    package var isStopRequested: Bool

    package init(
        id: JobID, owner: Owner, name: String, workspaceID: String? = nil,
        timeoutSeconds: Int = Limits.defaultTimeoutSeconds,
        processors: Int = Limits.defaultProcessors, memoryMebibytes: Int = Limits.defaultMemoryMebibytes,
        diskGigabytes: Int? = nil, createdAt: Int64, state: JobState = .pending, machine: MachineRecord? = nil,
        end: JobEnd? = nil,
        isStopRequested: Bool = false
    ) {
        self.id = id
        self.owner = owner
        self.name = name
        self.workspaceID = workspaceID
        self.timeoutSeconds = timeoutSeconds
        self.processors = processors
        self.memoryMebibytes = memoryMebibytes
        self.diskGigabytes = diskGigabytes
        self.createdAt = createdAt
        self.state = state
        self.machine = machine
        self.end = end
        self.isStopRequested = isStopRequested
    }
}

/// What only a job's start needs, and what makes it large: kept beside the record and read for one job at a time.
package struct JobPayload: Sendable, Equatable {
    package var script: String
    /// Opaque here: the control plane seals it.
    package var sealedEnvironment: [UInt8]
    package var fileIDs: [String]

    package init(script: String, sealedEnvironment: [UInt8] = [], fileIDs: [String] = []) {
        self.script = script
        self.sealedEnvironment = sealedEnvironment
        self.fileIDs = fileIDs
    }

    package var size: Int { script.utf8.count + sealedEnvironment.count }
}

/// A job without a final state, as far as bringing it forward needs it.
package struct UnfinishedJob: Sendable, Equatable {
    package var id: JobID
    package var state: JobState
    package var payloadSize: Int

    package init(id: JobID, state: JobState, payloadSize: Int) {
        self.id = id
        self.state = state
        self.payloadSize = payloadSize
    }
}

/// The machine that ran a job.
package struct MachineRecord: Sendable, Equatable {
    package var id: MachineID
    package var accelerator: String
    package var image: String
    package var startedAt: Int64

    package init(id: MachineID, accelerator: String, image: String, startedAt: Int64) {
        self.id = id
        self.accelerator = accelerator
        self.image = image
        self.startedAt = startedAt
    }
}

/// How a job ended, and when.
package struct JobEnd: Sendable, Equatable {
    package var outcome: JobOutcome
    package var finishedAt: Int64

    package init(outcome: JobOutcome, finishedAt: Int64) {
        self.outcome = outcome
        self.finishedAt = finishedAt
    }
}
