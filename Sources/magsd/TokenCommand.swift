import ArgumentParser
import ControlPlane
import Foundation
import Store
import StoreSQLite

/// Makes and takes back the tokens that clients show, beside a running server or without one.
struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Make, list and revoke API tokens.",
        subcommands: [Create.self, List.self, Revoke.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create", abstract: "Make a token and print it: the only time that it is shown.")
        @OptionGroup var home: Home
        @Option(help: "What the token is for.") var name: String = "token"

        func run() async throws {
            let (token, _) = try await service(home).create(name: name)
            print(token)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List the tokens, without their secrets.")
        @OptionGroup var home: Home

        func run() async throws {
            for token in try await service(home).list() {
                let used = token.lastUsedAt.map { "last used \(List.date($0))" } ?? "never used"
                let end = token.expiresAt.map { ", expires \(List.date($0))" } ?? ""
                print("\(token.id)  \(token.name)  (made \(List.date(token.createdAt)), \(used)\(end))")
            }
        }

        /// - Parameter microseconds: since 1970.
        private static func date(_ microseconds: Int64) -> String {
            Date(timeIntervalSince1970: Double(microseconds / 1_000_000)).formatted(.iso8601)
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "revoke", abstract: "Make a token worthless at once.")
        @OptionGroup var home: Home
        @Argument(help: "The id that `token list` shows.") var id: String

        func run() async throws { try await service(home).revoke(id) }
    }

    /// Works as the owner of the control plane's folder, so that no file in it becomes another's.
    private static func service(_ home: Home) throws -> TokenService {
        var status = stat()
        guard stat(home.api, &status) == 0 else {
            guard errno != EACCES else {
                throw ValidationError("\(home.home) is not for this user to look into. Run this again with sudo.")
            }
            throw ValidationError(
                "No server has been started with \(home.home) yet. Run script/up, or name another folder with --home.")
        }
        guard geteuid() == 0 || geteuid() == status.st_uid else {
            let owner = getpwuid(status.st_uid).map { "as \(String(cString: $0.pointee.pw_name)) or " } ?? ""
            throw ValidationError(
                "The server's tokens in \(home.api) belong to another user. Run this again \(owner)with sudo.")
        }
        if geteuid() == 0, status.st_uid != 0 {
            guard setgroups(0, nil) == 0, setgid(status.st_gid) == 0, setuid(status.st_uid) == 0 else {
                throw ValidationError("The files in \(home.api) belong to another user that cannot be taken on.")
            }
        }
        return TokenService(store: try SQLiteStore(path: home.database))
    }
}
