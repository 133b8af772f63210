import Foundation
import GuestWire
import Machines
import MagsModel
import NIOPosix
import NodeWire
import Testing

@testable import HostAgent

@Suite("Uploads on their way into a machine")
struct UploadTests {
    private let folder: TemporaryFolder
    private let uploads: String

    init() throws {
        folder = try TemporaryFolder()
        uploads = folder.path + "/home/api/uploads"
        try FileManager.default.createDirectory(atPath: uploads, withIntermediateDirectories: true)
        try Data("theirs".utf8).write(to: URL(fileURLWithPath: uploads + "/file"))
        try FileManager.default.createDirectory(atPath: folder.path + "/ours", withIntermediateDirectories: true)
        try Data("ours".utf8).write(to: URL(fileURLWithPath: folder.path + "/ours/file"))
    }

    private var place: UploadFolder { UploadFolder(home: folder.path + "/home", path: uploads) }

    private func read(_ source: String) throws -> String? {
        let file = try place.open(JobAssignment.Upload(source: source, name: "file"))
        return try file.readToEnd().map { String(decoding: $0, as: UTF8.self) }
    }

    @Test("come from the control plane's folder, whatever folder their names say")
    func plain() throws {
        #expect(try read("/etc/file") == "theirs")
        #expect(try read("file") == "theirs")
    }

    @Test(
        "never come through a link, whichever step of the way it is",
        arguments: ["api", "api/uploads", "api/uploads/file"])
    func links(step: String) throws {
        let path = folder.path + "/home/" + step
        let target = folder.path + (step == "api/uploads/file" ? "/ours/file" : "/target")
        if step != "api/uploads/file" { try FileManager.default.moveItem(atPath: path, toPath: target) }
        try? FileManager.default.removeItem(atPath: path)
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
        #expect(throws: Problem.self) { try read("file") }
    }

    @Test(
        "are no folders, pipes or names that lead elsewhere", arguments: ["..", ".", "", "pipe", "folder", "missing"])
    func strange(name: String) throws {
        mkfifo(uploads + "/pipe", 0o600)
        mkdir(uploads + "/folder", 0o700)
        #expect(throws: Problem.self) { try read(name) }
    }

    @Test("must belong to whom the control plane's folder was given", .enabled(if: geteuid() == 0))
    func owner() throws {
        #expect(try read("file") == "theirs")
        chown(folder.path + "/home/api", 65534, 65534)
        // A second name for a file of ours.
        link(folder.path + "/ours/file", uploads + "/second")
        #expect(throws: Problem.self) { try read("second") }
        #expect(throws: Problem.self) { try read("file") }
        chown(uploads + "/file", 65534, 65534)
        #expect(try read("file") == "theirs")
    }

    @Test("end when the machine says nothing any more")
    func silent() async throws {
        let clock = JobClock(eventLoop: MultiThreadedEventLoopGroup.singleton.next(), release: { _ in })
        let uploader = Uploader(from: place, clock: clock, limit: 0.001) { _ in }
        await #expect(throws: Problem.self) {
            try await uploader.carry([JobAssignment.Upload(source: "file", name: "file")])
        }
    }

    @Test("are over when the machine has answered every piece")
    func answered() async throws {
        try Data(repeating: 7, count: 1 << 20).write(to: URL(fileURLWithPath: uploads + "/large"))
        let clock = JobClock(eventLoop: MultiThreadedEventLoopGroup.singleton.next(), release: { _ in })
        let (pieces, tell) = AsyncStream.makeStream(of: Frame.self)
        let uploader = Uploader(from: place, clock: clock) { tell.yield($0) }
        let machine = Task {
            var size = 0
            for await frame in pieces {
                let piece = try FilePiece(frame)
                size += piece.data.count
                uploader.handle(.frame(Reply(request: 1).frame(), position: 0))
                if piece.isLast { break }
            }
            return size
        }
        try await uploader.carry([JobAssignment.Upload(source: "large", name: "large")])
        #expect(try await machine.value == 1 << 20)
    }
}
