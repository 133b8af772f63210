import Foundation
import GRDB
package import Store

extension SQLiteStore {
    package func insert(_ token: TokenRecord) async throws {
        try await write { database in
            try database.execute(
                sql: """
                    INSERT INTO token (id, name, user, organisation, hash, created_at, expires_at, last_used_at)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    token.id, token.name, token.owner.user, token.owner.organisation, Data(token.hash),
                    token.createdAt, token.expiresAt, token.lastUsedAt,
                ])
        }
    }

    package func token(withHash hash: [UInt8]) async throws -> TokenRecord? {
        try await pool.read { database in
            let statement = try database.cachedStatement(sql: "SELECT * FROM token WHERE hash = ?")
            return try Row.fetchOne(statement, arguments: [Data(hash)]).map(SQLiteStore.token)
        }
    }

    package func noteUse(ofToken id: String, at time: Int64) async throws {
        try await write { database in
            try database.execute(sql: "UPDATE token SET last_used_at = ? WHERE id = ?", arguments: [time, id])
        }
    }

    package func tokens(of owner: Owner) async throws -> [TokenRecord] {
        try await pool.read { database in
            try Row.fetchAll(
                database, sql: "SELECT * FROM token WHERE organisation = ? AND user = ? ORDER BY rowid",
                arguments: [owner.organisation, owner.user]
            ).map(SQLiteStore.token)
        }
    }

    package func deleteToken(_ id: String, of owner: Owner) async throws -> Bool {
        try await write { database in
            try database.execute(
                sql: "DELETE FROM token WHERE id = ? AND organisation = ? AND user = ?",
                arguments: [id, owner.organisation, owner.user])
            return database.changesCount == 1
        }
    }

    private static func token(_ row: Row) -> TokenRecord {
        let hash: Data = row["hash"]
        return TokenRecord(
            id: row["id"], name: row["name"], owner: Owner(user: row["user"], organisation: row["organisation"]),
            hash: Array(hash), createdAt: row["created_at"], expiresAt: row["expires_at"],
            lastUsedAt: row["last_used_at"])
    }
}
