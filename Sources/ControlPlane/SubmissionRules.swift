package import MagsModel

/// What a submission must keep to. Pure: the same submission always gets the same answer.
package struct SubmissionRules: Sendable {
    /// The most memory that one machine may have: half of the host's.
    package var maximumMemoryMebibytes: Int

    package init(hostMemoryMebibytes: Int) {
        maximumMemoryMebibytes = max(256, hostMemoryMebibytes / 2)
    }

    package func plan(_ submission: Submission) throws(Problem) -> JobPlan {
        try refuseWhatIsNotThereYet(submission)
        let settings = try EnvironmentRules.check(submission.environment)
        return JobPlan(
            source: try source(submission),
            name: try submission.name.map { name throws(Problem) in try NameRules.job(name) },
            workspaceID: try submission.workspaceID.map { name throws(Problem) in
                try NameRules.workspace(name, field: "workspace_id")
            },
            environment: settings.visible,
            fileIDs: try files(submission.fileIDs),
            timeoutSeconds: try timeout(submission.timeoutSeconds),
            processors: try processors(submission.processors),
            memoryMebibytes: try memory(submission.memoryMebibytes, settings.memoryGibibytes.map { $0 * 1024 }),
            diskGigabytes: try disk(submission.diskGigabytes))
    }

    private func source(_ submission: Submission) throws(Problem) -> JobPlan.Source {
        switch submission.type ?? "inline" {
        case "inline": return .text(try SubmissionRules.checkedScript(submission.script))
        case "url":
            guard submission.script.utf8.count <= 8192 else {
                throw Problem.invalid("script", "holds an address of more than 8192 bytes.")
            }
            return .address(submission.script)
        default:
            throw Problem.invalid("type", "must be \"inline\" or \"url\".")
        }
    }

    /// The rules of a script's text, wherever it came from.
    package static func checkedScript(_ script: String) throws(Problem) -> String {
        guard script.utf8.count <= Limits.scriptBytes else {
            throw Problem.invalid(
                "script", "is longer than \(Limits.scriptBytes >> 20) MiB.",
                hint: "Upload what it carries with POST /api/v1/mags-files and name it in file_ids.")
        }
        guard script.contains(where: { !$0.isWhitespace }) else { throw Problem.invalid("script", "is empty.") }
        guard !script.utf8.contains(0) else { throw Problem.invalid("script", "contains a NUL byte.") }
        return script
    }

    private func files(_ ids: [String]) throws(Problem) -> [String] {
        guard ids.count <= Limits.filesPerJob else {
            throw Problem.invalid("file_ids", "names more than \(Limits.filesPerJob) files.")
        }
        guard Set(ids).count == ids.count else { throw Problem.invalid("file_ids", "names a file twice.") }
        return ids
    }

    private func timeout(_ seconds: Int?) throws(Problem) -> Int {
        guard let seconds else { return Limits.defaultTimeoutSeconds }
        guard (1...Limits.maximumTimeoutSeconds).contains(seconds) else {
            throw Problem.invalid("timeout", "must be 1 to \(Limits.maximumTimeoutSeconds) seconds (30 days).")
        }
        return seconds
    }

    private func processors(_ count: Int?) throws(Problem) -> Int {
        guard let count else { return Limits.defaultProcessors }
        guard [1, 2, 4].contains(count) else { throw Problem.invalid("vcpus", "must be 1, 2 or 4.") }
        return count
    }

    private func disk(_ gigabytes: Int?) throws(Problem) -> Int? {
        guard let gigabytes else { return nil }
        guard (1...Limits.maximumDiskGigabytes).contains(gigabytes) else {
            throw Problem.invalid("disk_gb", "must be 1 to \(Limits.maximumDiskGigabytes) GiB.")
        }
        return gigabytes
    }

    private func memory(_ asked: Int?, _ setting: Int?) throws(Problem) -> Int {
        guard let wanted = asked ?? setting else { return Limits.defaultMemoryMebibytes }
        let field = asked == nil ? "environment.__MAGS_MEM_GB" : "memory_mb"
        var size = 256
        while size < wanted, size <= maximumMemoryMebibytes { size *= 2 }
        guard wanted >= 1, size <= maximumMemoryMebibytes else {
            throw Problem.invalid(
                field, "must be 1 to \(largestMemory) MiB on this server; it is rounded up to 256, 512, 1024 and so on."
            )
        }
        return size
    }

    private var largestMemory: Int {
        var size = 256
        while size * 2 <= maximumMemoryMebibytes { size *= 2 }
        return size
    }

    private func refuseWhatIsNotThereYet(_ submission: Submission) throws(Problem) {
        if submission.isPersistent { throw Problem.notAvailableYet("persistent") }
        if submission.neverSleeps { throw Problem.notAvailableYet("no_sleep") }
        if submission.neverSyncs { throw Problem.notAvailableYet("no_sync") }
        if let command = submission.startupCommand, !command.isEmpty {
            throw Problem.notAvailableYet("startup_command")
        }
        if submission.baseWorkspaceID != nil { throw Problem.notAvailableYet("base_workspace_id") }
        if submission.idleMinutes != nil { throw Problem.notAvailableYet("idle_minutes") }
        if let type = submission.rootfsType, type != "standard" {
            throw Problem.notAvailableYet("rootfs_type", "Only \"standard\" can be had.")
        }
    }
}
