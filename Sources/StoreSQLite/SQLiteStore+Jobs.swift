import Foundation
import GRDB
package import MagsModel
package import Store

extension SQLiteStore {
    package func insert(_ job: JobRecord, _ payload: JobPayload) async throws {
        try await write { database in
            let statement = try database.cachedStatement(
                sql: """
                    INSERT INTO job (id, user, organisation, name, workspace_id, payload_size, timeout_seconds,
                        processors, memory_mebibytes, created_at, state, stop_requested, machine, accelerator, image,
                        started_at, end_cause, exit_code, error_code, error_message, duration_milliseconds, finished_at,
                        disk_gigabytes)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """)
            try statement.execute(arguments: JobRow.arguments(of: job, payloadSize: payload.size))
            let number = database.lastInsertedRowID
            try database.cachedStatement(sql: "INSERT INTO job_payload (job, script, environment) VALUES (?, ?, ?)")
                .execute(arguments: [number, payload.script, Data(payload.sealedEnvironment)])
            for (position, upload) in payload.fileIDs.enumerated() {
                try database.execute(
                    sql: "INSERT INTO job_file (job, position, upload) VALUES (?, ?, ?)",
                    arguments: [number, position, upload])
            }
        }
    }

    package func markRunning(_ id: JobID, on machine: MachineRecord) async throws -> Bool {
        try await write { database in
            let statement = try database.cachedStatement(
                sql: """
                    UPDATE job SET state = 'running', machine = ?, accelerator = ?, image = ?, started_at = ?
                    WHERE id = ? AND state = 'pending'
                    """)
            try statement.execute(arguments: [
                machine.id.text, machine.accelerator, machine.image, machine.startedAt, id.text,
            ])
            return database.changesCount == 1
        }
    }

    package func finish(_ id: JobID, _ end: JobEnd, on machine: MachineRecord?) async throws -> Bool {
        try await write { database in
            let statement = try database.cachedStatement(
                sql: """
                    UPDATE job SET state = ?, end_cause = ?, exit_code = ?, error_code = ?, error_message = ?,
                        duration_milliseconds = ?, finished_at = ?, started_at = iif(machine IS NULL, ?, started_at),
                        accelerator = coalesce(accelerator, ?), image = coalesce(image, ?),
                        machine = coalesce(machine, ?)
                    WHERE id = ? AND finished_at IS NULL
                    """)
            let outcome = end.outcome
            try statement.execute(arguments: [
                outcome.state.rawValue, outcome.cause.rawValue, outcome.exitCode, outcome.code, outcome.message,
                outcome.durationMilliseconds, end.finishedAt, machine?.startedAt, machine?.accelerator, machine?.image,
                machine?.id.text, id.text,
            ])
            guard database.changesCount == 1 else { return false }
            // Nobody starts it again: neither its script nor its secrets are of use any more.
            try database.execute(
                sql: "DELETE FROM job_payload WHERE job = (SELECT number FROM job WHERE id = ?)", arguments: [id.text])
            return true
        }
    }

    package func requestStop(_ id: JobID) async throws {
        try await write { database in
            try database.execute(
                sql: "UPDATE job SET stop_requested = 1 WHERE id = ? AND finished_at IS NULL", arguments: [id.text])
        }
    }

    package func job(_ id: JobID) async throws -> JobRecord? {
        try await pool.read { database in
            try JobRow.first(database, where: "id = ?", arguments: [id.text])
        }
    }

    package func payload(of id: JobID) async throws -> JobPayload? {
        try await pool.read { database in
            let row = try Row.fetchOne(
                database,
                sql: """
                    SELECT number, job_payload.script, job_payload.environment FROM job JOIN job_payload ON job = number
                    WHERE id = ?
                    """, arguments: [id.text])
            guard let row else { return nil }
            let files = try String.fetchAll(
                database, sql: "SELECT upload FROM job_file WHERE job = ? ORDER BY position",
                arguments: [row["number"] as Int64])
            let environment: Data = row["environment"]
            return JobPayload(script: row["script"], sealedEnvironment: Array(environment), fileIDs: files)
        }
    }

    package func hasSealedEnvironments() async throws -> Bool {
        try await pool.read { database in
            try Bool.fetchOne(
                database, sql: "SELECT EXISTS (SELECT 1 FROM job_payload WHERE length(environment) > 0)") ?? false
        }
    }

    package func jobs(_ query: JobQuery) async throws -> JobPage {
        var condition = "organisation = ? AND user = ?"
        var arguments: StatementArguments = [query.owner.organisation, query.owner.user]
        if let state = query.state {
            condition += " AND state = ?"
            arguments += [state.rawValue]
        }
        if let workspace = query.workspaceID {
            condition += " AND workspace_id = ?"
            arguments += [workspace]
        }
        if let name = query.name {
            condition += " AND name = ?"
            arguments += [name]
        }
        return try await pool.read { [condition, arguments] database in
            let total = try Int.fetchOne(
                database, sql: "SELECT count(*) FROM job WHERE \(condition)", arguments: arguments)
            let jobs = try JobRow.all(
                database, where: "\(condition) ORDER BY number DESC LIMIT ? OFFSET ?",
                arguments: arguments + [query.limit, query.offset])
            return JobPage(jobs: jobs, total: total ?? 0)
        }
    }

    package func resolve(_ text: String, of owner: Owner) async throws -> JobRecord? {
        try await pool.read { database in
            let mine = "organisation = ? AND user = ?"
            let who: StatementArguments = [owner.organisation, owner.user]
            if let id = JobID(text),
                let job = try JobRow.first(database, where: "\(mine) AND id = ?", arguments: who + [id.text])
            {
                return job
            }
            for living in [" AND state IN ('running', 'sleeping')", ""] {
                for column in ["name", "workspace_id"] {
                    let condition = "\(mine) AND \(column) = ?\(living) ORDER BY number DESC LIMIT 1"
                    if let job = try JobRow.first(database, where: condition, arguments: who + [text]) { return job }
                }
            }
            return nil
        }
    }

    package func unfinishedJobs() async throws -> [UnfinishedJob] {
        try await pool.read { database in
            let rows = try Row.fetchAll(
                database, sql: "SELECT id, state, payload_size FROM job WHERE finished_at IS NULL ORDER BY number")
            return try rows.map { row in
                guard let id = JobID(row["id"]), let state = JobState(rawValue: row["state"]) else {
                    throw JobRow.Damage.identity
                }
                return UnfinishedJob(id: id, state: state, payloadSize: row["payload_size"])
            }
        }
    }

    package func jobs(finishedBefore time: Int64, limit: Int) async throws -> [JobID] {
        try await pool.read { database in
            try String.fetchAll(
                database, sql: "SELECT id FROM job WHERE finished_at < ? ORDER BY number LIMIT ?",
                arguments: [time, limit]
            ).compactMap { JobID($0) }
        }
    }

    package func deleteJobs(_ ids: [JobID]) async throws {
        try await write { database in
            let statement = try database.cachedStatement(sql: "DELETE FROM job WHERE id = ?")
            for id in ids { try statement.execute(arguments: [id.text]) }
        }
    }
}
