import GRDB
import MagsModel
import Store

/// A row of the table `job` as a record, both ways.
enum JobRow {
    struct Damage: Error, CustomStringConvertible {
        let description: String

        static let identity = Damage(description: "the job table holds an id or a state that no job has")
    }

    static func arguments(of job: JobRecord, payloadSize: Int) -> StatementArguments {
        let outcome = job.end?.outcome
        return [
            job.id.text, job.owner.user, job.owner.organisation, job.name, job.workspaceID,
            payloadSize, job.timeoutSeconds, job.processors, job.memoryMebibytes, job.createdAt,
            job.state.rawValue, job.isStopRequested ? 1 : 0, job.machine?.id.text, job.machine?.accelerator,
            job.machine?.image, job.machine?.startedAt, outcome?.cause.rawValue, outcome?.exitCode, outcome?.code,
            outcome?.message, outcome?.durationMilliseconds, job.end?.finishedAt,
            job.diskGigabytes,
        ]
    }

    static func first(
        _ database: Database, where condition: String, arguments: StatementArguments
    ) throws -> JobRecord? {
        let statement = try database.cachedStatement(sql: "SELECT * FROM job WHERE \(condition)")
        return try Row.fetchOne(statement, arguments: arguments).map(record)
    }

    static func all(
        _ database: Database, where condition: String, arguments: StatementArguments
    ) throws -> [JobRecord] {
        let statement = try database.cachedStatement(sql: "SELECT * FROM job WHERE \(condition)")
        return try Row.fetchAll(statement, arguments: arguments).map(record)
    }

    private static func record(_ row: Row) throws -> JobRecord {
        guard let id = JobID(row["id"]), let state = JobState(rawValue: row["state"]) else {
            throw Damage.identity
        }
        var job = JobRecord(
            id: id, owner: Owner(user: row["user"], organisation: row["organisation"]), name: row["name"],
            workspaceID: row["workspace_id"], timeoutSeconds: row["timeout_seconds"], processors: row["processors"],
            memoryMebibytes: row["memory_mebibytes"], diskGigabytes: row["disk_gigabytes"],
            createdAt: row["created_at"], state: state, isStopRequested: row["stop_requested"] != 0)
        if let machine: String = row["machine"] {
            job.machine = MachineRecord(
                id: MachineID(machine), accelerator: row["accelerator"] ?? "", image: row["image"] ?? "",
                startedAt: row["started_at"] ?? 0)
        }
        job.end = end(row)
        return job
    }
    /// The end that a row of a job or an exec holds.
    static func end(_ row: Row) -> JobEnd? {
        guard let finishedAt: Int64 = row["finished_at"], let word: String = row["end_cause"],
            let cause = JobOutcome.Cause(rawValue: word)
        else { return nil }
        return JobEnd(
            outcome: JobOutcome(
                cause: cause, exitCode: row["exit_code"], code: row["error_code"], message: row["error_message"],
                durationMilliseconds: row["duration_milliseconds"] ?? 0),
            finishedAt: finishedAt)
    }
}
