import Foundation
import GRDB
package import MagsModel
package import Store

extension SQLiteStore {
    package func insert(_ exec: ExecRecord) async throws -> ExecRecord? {
        try await write { database in
            if let key = exec.key, let kept = try SQLiteStore.exec(database, withKey: key, of: exec.job) { return kept }
            let statement = try database.cachedStatement(
                sql: """
                    INSERT INTO exec (id, job, key, fingerprint, timeout_seconds, created_at, stop_requested)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    """)
            try statement.execute(arguments: [
                exec.id.text, exec.job.text, exec.key, Data(exec.fingerprint), exec.timeoutSeconds, exec.createdAt,
                exec.isStopRequested ? 1 : 0,
            ])
            return nil
        }
    }

    package func markRunning(exec id: JobID, at time: Int64) async throws -> Bool {
        try await write { database in
            let statement = try database.cachedStatement(
                sql: "UPDATE exec SET started_at = ? WHERE id = ? AND started_at IS NULL AND finished_at IS NULL")
            try statement.execute(arguments: [time, id.text])
            return database.changesCount == 1
        }
    }

    package func finish(exec id: JobID, _ end: JobEnd, startedAt: Int64?) async throws -> Bool {
        try await write { database in
            let statement = try database.cachedStatement(
                sql: """
                    UPDATE exec SET end_cause = ?, exit_code = ?, error_code = ?, error_message = ?,
                        duration_milliseconds = ?, finished_at = ?, started_at = coalesce(started_at, ?)
                    WHERE id = ? AND finished_at IS NULL
                    """)
            let outcome = end.outcome
            try statement.execute(arguments: [
                outcome.cause.rawValue, outcome.exitCode, outcome.code, outcome.message, outcome.durationMilliseconds,
                end.finishedAt, startedAt, id.text,
            ])
            return database.changesCount == 1
        }
    }

    package func requestStop(exec id: JobID) async throws {
        try await write { database in
            try database.execute(
                sql: "UPDATE exec SET stop_requested = 1 WHERE id = ? AND finished_at IS NULL", arguments: [id.text])
        }
    }

    package func exec(_ id: JobID) async throws -> ExecRecord? {
        try await pool.read { database in
            let statement = try database.cachedStatement(sql: "SELECT * FROM exec WHERE id = ?")
            return try Row.fetchOne(statement, arguments: [id.text]).map(SQLiteStore.exec)
        }
    }

    package func exec(withKey key: String, of job: JobID) async throws -> ExecRecord? {
        try await pool.read { try SQLiteStore.exec($0, withKey: key, of: job) }
    }

    package func unfinishedExecs() async throws -> [ExecRecord] {
        try await pool.read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM exec WHERE finished_at IS NULL").map(SQLiteStore.exec)
        }
    }

    package func execs(finishedBefore time: Int64, limit: Int) async throws -> [JobID] {
        try await pool.read { database in
            try String.fetchAll(
                database, sql: "SELECT id FROM exec WHERE finished_at < ? LIMIT ?", arguments: [time, limit]
            ).compactMap { JobID($0) }
        }
    }

    package func deleteExecs(_ ids: [JobID]) async throws {
        try await write { database in
            let statement = try database.cachedStatement(sql: "DELETE FROM exec WHERE id = ?")
            for id in ids { try statement.execute(arguments: [id.text]) }
        }
    }

    private static func exec(_ database: Database, withKey key: String, of job: JobID) throws -> ExecRecord? {
        let statement = try database.cachedStatement(sql: "SELECT * FROM exec WHERE job = ? AND key = ?")
        return try Row.fetchOne(statement, arguments: [job.text, key]).map(exec)
    }

    private static func exec(_ row: Row) throws -> ExecRecord {
        guard let id = JobID(row["id"]), let job = JobID(row["job"]) else { throw JobRow.Damage.identity }
        let fingerprint: Data = row["fingerprint"]
        return ExecRecord(
            id: id, job: job, key: row["key"], fingerprint: Array(fingerprint), timeoutSeconds: row["timeout_seconds"],
            createdAt: row["created_at"], startedAt: row["started_at"], end: JobRow.end(row),
            isStopRequested: row["stop_requested"] != 0)
    }
}
