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
