import Foundation
import Testing

@testable import HostSystem

@Suite("A log that grows")
struct GrowingLogTests {
    private static func with(_ body: (String) throws -> Void) throws {
        let folder = "\(NSTemporaryDirectory())/mags-log-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body("\(folder)/magsd.log")
    }

    private static func write(_ text: String, to file: FileDescriptor) {
        text.withCString { _ = Foundation.write(file.rawValue, $0, strlen($0)) }
    }

    private static func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

    @Test("is emptied under those who append to it, once it is too long, and keeps what it had beside it")
    func trims() throws {
        try GrowingLogTests.with { path in
            let flags = O_WRONLY | O_CREAT | O_APPEND
            let (first, second) = (try FileDescriptor.open(path, flags), try FileDescriptor.open(path, flags))
            let log = GrowingLog(path: path, maximumBytes: 10)
            GrowingLogTests.write("123456789\n", to: first)
            #expect(try !log.trim(openAs: first.rawValue))
            GrowingLogTests.write("x\n", to: second)
            #expect(try log.trim(openAs: first.rawValue))
            #expect(GrowingLogTests.text(path) == "")
            #expect(GrowingLogTests.text(path + ".1") == "123456789\nx\n")
            GrowingLogTests.write("after this\n", to: second)
            #expect(GrowingLogTests.text(path) == "after this\n")
            #expect(try log.trim(openAs: first.rawValue))
            // The older one has made room for the newer.
            #expect(GrowingLogTests.text(path + ".1") == "after this\n")
            #expect(!FileManager.default.fileExists(atPath: path + ".new"))
        }
    }

    @Test("takes the place of the older one where there is no room for both")
    func makesRoom() throws {
        try GrowingLogTests.with { path in
            let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_APPEND)
            try Data("older\n".utf8).write(to: URL(filePath: path + ".1"))
            GrowingLogTests.write("newer\n", to: file)
            let log = GrowingLog(path: path, maximumBytes: 1) { source, target throws(HostError) in
                // Half of it, as on a disk that is full now.
                GrowingLogTests.write("new", to: target)
                if access(path + ".1", F_OK) == 0 { throw HostError(errno: ENOSPC, "it could not be copied") }
                GrowingLogTests.write("er\n", to: target)
            }
            #expect(try log.trim(openAs: file.rawValue))
            #expect(GrowingLogTests.text(path) == "")
            #expect(GrowingLogTests.text(path + ".1") == "newer\n")
        }
    }

    @Test("is emptied without a copy where there is room for none, and says so")
    func full() throws {
        try GrowingLogTests.with { path in
            let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_APPEND)
            GrowingLogTests.write("what it had\n", to: file)
            let log = GrowingLog(path: path, maximumBytes: 1) { _, _ throws(HostError) in
                throw HostError(errno: ENOSPC, "it could not be copied")
            }
            #expect(try log.trim(openAs: file.rawValue))
            let text = try #require(GrowingLogTests.text(path))
            #expect(!text.contains("what it had") && text.contains("No space left on device"), "\(text)")
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: (path as NSString).deletingLastPathComponent)
                    .count == 1)
        }
    }

    @Test("is left alone where something else is open, or where it is not appended to")
    func others() throws {
        try GrowingLogTests.with { path in
            let log = GrowingLog(path: path, maximumBytes: 1)
            let other = try FileDescriptor.open(path + ".other", O_WRONLY | O_CREAT | O_APPEND)
            let plain = try FileDescriptor.open(path, O_WRONLY | O_CREAT)
            for file in [other, plain] {
                GrowingLogTests.write("long\n", to: file)
                #expect(try !log.trim(openAs: file.rawValue))
            }
            #expect(GrowingLogTests.text(path) == "long\n")
        }
    }
}
