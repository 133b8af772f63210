package import MagsModel

/// Which of an owner's jobs are wanted: newest first, `offset` of them left out.
package struct JobQuery: Sendable, Equatable {
    package var owner: Owner
    package var state: JobState?
    package var workspaceID: String?
    package var name: String?
    package var limit: Int
    package var offset: Int

    package init(
        owner: Owner, state: JobState? = nil, workspaceID: String? = nil, name: String? = nil,
        limit: Int = Limits.pageSize, offset: Int = 0
    ) {
        self.owner = owner
        self.state = state
        self.workspaceID = workspaceID
        self.name = name
        self.limit = limit
        self.offset = offset
    }
}

package struct JobPage: Sendable, Equatable {
    package var jobs: [JobRecord]
    /// All that the query lets through.
    package var total: Int

    package init(jobs: [JobRecord], total: Int) {
        self.jobs = jobs
        self.total = total
    }
}
