import GRDB
package import Store

extension SQLiteStore {
    package func insert(_ upload: UploadRecord) async throws {
        try await write { database in
            try database.execute(
                sql: """
                    INSERT INTO upload (id, user, organisation, name, size, created_at, last_used_at)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    upload.id, upload.owner.user, upload.owner.organisation, upload.name, upload.size,
                    upload.createdAt, upload.lastUsedAt,
                ])
        }
    }

    package func uploadIDs() async throws -> Set<String> {
        try await pool.read { database in try String.fetchSet(database, sql: "SELECT id FROM upload") }
    }

    package func useUploads(_ ids: [String], of owner: Owner, at time: Int64) async throws -> [UploadRecord] {
        guard !ids.isEmpty else { return [] }
        return try await write { database in
            try ids.compactMap { id in
                let row = try Row.fetchOne(
                    database,
                    sql: """
                        UPDATE upload SET last_used_at = max(last_used_at, ?)
                        WHERE id = ? AND organisation = ? AND user = ? RETURNING *
                        """,
                    arguments: [time, id, owner.organisation, owner.user])
                return row.map { row in
                    UploadRecord(
                        id: row["id"], owner: owner, name: row["name"], size: row["size"],
                        createdAt: row["created_at"], lastUsedAt: row["last_used_at"])
                }
            }
        }
    }

    package func deleteUploads(unusedSince time: Int64) async throws -> [String] {
        try await write { database in
            try String.fetchAll(
                database,
                sql: """
                    DELETE FROM upload WHERE last_used_at < ? AND id NOT IN (
                        SELECT upload FROM job_file JOIN job ON job = number WHERE finished_at IS NULL
                    ) RETURNING id
                    """,
                arguments: [time])
        }
    }
}
