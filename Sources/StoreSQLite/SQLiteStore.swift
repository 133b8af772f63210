import Foundation
import GRDB
import MagsModel
import Store

/// The store of a single server: one file in WAL mode, its readers beside its one writer.
///
/// A committed transaction survives the end of the process; the last ones may be lost with the power (synchronous
/// NORMAL), never half of one.
package final class SQLiteStore: Store {
    let pool: DatabasePool

    /// Opens the file, makes it if need be (mode 0600, as its companions; its folder 0700), and brings its tables up to
    /// date.
    package convenience init(path: String) throws { try self.init(path: path, steps: Schema.steps) }

    /// - Parameter preparation: of each connection.
    init(path: String, steps: [Schema.Step] = Schema.steps, preparation: String = "") throws {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: path]) }
        fchmod(descriptor, 0o600)
        close(descriptor)
        var configuration = Configuration()
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(10)
        configuration.maximumReaderCount = 4
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = NORMAL; " + preparation) }
        pool = try DatabasePool(path: path, configuration: configuration)
        var migrator = DatabaseMigrator()
        for step in steps {
            migrator.registerMigration(step.name) { try $0.execute(sql: step.sql) }
        }
        try migrator.migrate(pool)
    }

    /// One transaction.
    /// - Throws: `Problem.diskFull` when the file system has no room for it.
    func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            return try await pool.write(body)
        } catch let error as DatabaseError where SQLiteStore.tellsOfNoRoom(error) {
            throw Problem.diskFull
        }
    }

    private static func tellsOfNoRoom(_ error: DatabaseError) -> Bool {
        switch error.extendedResultCode {
        case .SQLITE_FULL, .SQLITE_IOERR_SHMSIZE: true
        default: false
        }
    }

    package func shutDown() throws { try pool.close() }
}
