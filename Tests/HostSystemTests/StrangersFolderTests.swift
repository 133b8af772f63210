import Glibc
import Testing

@testable import HostSystem

@Suite("A folder that somebody else may have prepared", .enabled(if: isRoot))
struct StrangersFolderTests {
    private static let stranger: UInt32 = 0x3fff_0777

    private func status(_ path: String) throws -> stat {
        var status = stat()
        try #require(lstat(path, &status) == 0)
        return status
    }

    private func file(_ path: String, mode: UInt32 = 0o600) throws {
        _ = try FileDescriptor.open(path, O_WRONLY | O_CREAT, mode: mode)
    }

    @Test("is made anew over a link, and what the link leads to stays as it is")
    func links() async throws {
        try await withFolder { folder in
            try #require(mkdir(folder + "/ours", 0o755) == 0 && mkdir(folder + "/api", 0o700) == 0)
            try #require(symlink(folder + "/ours", folder + "/api/uploads") == 0)
            let api = try StrangersFolder.make(folder + "/api", mode: 0o700)
            try api.makeFolder("uploads", mode: 0o700)
            #expect(try status(folder + "/ours").st_mode & 0o777 == 0o755)
            #expect(try status(folder + "/api/uploads").st_mode & (S_IFMT | 0o777) == S_IFDIR | 0o700)
            try api.makeFolder("uploads", mode: 0o750)
            #expect(try status(folder + "/api/uploads").st_mode & 0o777 == 0o750)
        }
    }

    @Test("is no link itself")
    func isNoLink() async throws {
        try await withFolder { folder in
            try #require(mkdir(folder + "/ours", 0o755) == 0 && symlink(folder + "/ours", folder + "/api") == 0)
            #expect(throws: HostError.self) { try StrangersFolder.make(folder + "/api", mode: 0o700) }
            #expect(try status(folder + "/ours").st_mode & 0o777 == 0o755)
        }
    }

    @Test("becomes its owner's with all in it, but nothing that links and second names lead to")
    func gives() async throws {
        try await withFolder { folder in
            let api = try StrangersFolder.make(folder + "/api", mode: 0o700)
            try #require(mkdir(folder + "/ours", 0o700) == 0)
            for path in ["ours/secret", "ours/hard", "ours/plain"] { try file("\(folder)/\(path)") }
            try api.makeFolder("uploads", mode: 0o700)
            try file(folder + "/api/mags.db")
            try file(folder + "/api/uploads/one")
            try #require(symlink(folder + "/ours/secret", folder + "/api/link") == 0)
            try #require(symlink(folder + "/ours", folder + "/api/uploads/door") == 0)
            try #require(link(folder + "/ours/hard", folder + "/api/hard") == 0)
            #expect(api.give(to: Self.stranger) == 1)
            for path in ["api", "api/mags.db", "api/uploads", "api/uploads/one", "api/link", "api/uploads/door"] {
                let status = try status("\(folder)/\(path)")
                #expect(status.st_uid == Self.stranger && status.st_gid == Self.stranger, "\(path)")
            }
            for path in ["ours", "ours/secret", "ours/hard", "ours/plain"] {
                #expect(try status("\(folder)/\(path)").st_uid == 0, "\(path)")
            }
        }
    }

    @Test("takes no longer however deep somebody dug")
    func depth() async throws {
        try await withFolder { folder in
            let api = try StrangersFolder.make(folder + "/api", mode: 0o700)
            var path = folder + "/api"
            for _ in 0..<40 {
                path += "/d"
                try #require(mkdir(path, 0o700) == 0)
            }
            #expect(api.give(to: Self.stranger) == 1)
            #expect(try status(path).st_uid == 0)
        }
    }
}
