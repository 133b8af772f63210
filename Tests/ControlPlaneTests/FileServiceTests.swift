import Foundation
import MagsModel
import NIOCore
import NodeWire
import Store
import Synchronization
import Testing

@testable import ControlPlane

@Suite("Uploads")
struct FileServiceTests {
    private static func upload(_ it: Fixture, _ name: String, _ text: String) async throws -> UploadRecord {
        let upload = try it.control.files.begin(name: name, owner: .administrator)
        try await upload.write(ByteBuffer(string: text))
        return try await it.control.files.finish(upload)
    }

    private static func files(_ it: Fixture) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(it.folder)/uploads").sorted()
    }

    @Test("go to the node by path and name with the job that lists them")
    func used() async throws {
        try await Fixture.with { it in
            let file = try await FileServiceTests.upload(it, "../a b.txt", "hello")
            #expect(file.name == "a b.txt")
            #expect(file.size == 5)
            _ = try await it.submit { $0.fileIDs = [file.id] }
            guard case .start(let sent) = await it.node.received({ if case .start = $0 { true } else { false } }) else {
                return
            }
            let upload = try #require(sent.uploads.first)
            #expect(upload.name == "a b.txt")
            #expect(try String(contentsOfFile: upload.source, encoding: .utf8) == "hello")
        }
    }

    @Test("that are unknown or of one name refuse the job")
    func refused() async throws {
        try await Fixture.with { it in
            let (a, b) = (
                try await FileServiceTests.upload(it, "x", "1"), try await FileServiceTests.upload(it, "x", "2")
            )
            await #expect { try await it.submit { $0.fileIDs = ["file-nope"] } } throws: {
                ($0 as? Problem)?.code == "unknown_file"
            }
            await #expect { try await it.submit { $0.fileIDs = [a.id, b.id] } } throws: {
                ($0 as? Problem)?.code == "invalid_field"
            }
        }
    }

    @Test("have a name that can stand in a folder", arguments: ["", "/", "..", "a/..", "x\0y", "a\nb"])
    func names(name: String) async throws {
        try await Fixture.with { it in
            #expect(throws: Problem.self) { try it.control.files.begin(name: name, owner: .administrator) }
        }
    }

    @Test("are called by the last part of what the client says, whatever stands behind a slash")
    func lastParts() async throws {
        try await Fixture.with { it in
            for given in ["../\u{301}x", "a/\u{301}x", "/a/b\\\u{301}x", "\u{301}x/"] {
                let upload = try it.control.files.begin(name: given, owner: .administrator)
                #expect(Array(upload.name.utf8) == Array("\u{301}x".utf8))
            }
        }
    }

    @Test("that are too large or abandoned leave nothing")
    func leavesNothing() async throws {
        try await Fixture.with(maximumUploadBytes: 10) { it in
            let upload = try it.control.files.begin(name: "big", owner: .administrator)
            try await upload.write(ByteBuffer(string: "0123456789"))
            await #expect { try await upload.write(ByteBuffer(string: "x")) } throws: {
                ($0 as? Problem)?.status == 413
            }
            await upload.abandon()
            #expect(try FileServiceTests.files(it) == [])
        }
    }

    private static func begin(_ it: Fixture, _ holder: String) throws -> Upload {
        try it.control.files.begin(name: "x", owner: .administrator, holder: holder)
    }

    private static func isRefused(_ it: Fixture, _ holder: String) -> Bool {
        do { _ = try begin(it, holder) } catch { return (error as? Problem)?.code == "too_many_uploads" }
        return false
    }

    @Test("are received sixteen at a time, and each place is free again when its upload is whole, given up or left")
    func places() async throws {
        try await Fixture.with { it in
            var uploads = try (0..<UploadPlaces.maximum).map { try FileServiceTests.begin(it, "\($0 % 4)") }
            #expect(FileServiceTests.isRefused(it, "other"))
            await uploads[0].abandon()
            let another = try FileServiceTests.begin(it, "other")
            #expect(FileServiceTests.isRefused(it, "other"))
            _ = try await it.control.files.finish(another)
            uploads[0] = try FileServiceTests.begin(it, "other")
            #expect(FileServiceTests.isRefused(it, "other"))
            uploads.removeLast()
            #expect(!FileServiceTests.isRefused(it, "other"))
        }
    }

    @Test("are received four at a time for one token, so that none shuts out the others")
    func shares() async throws {
        try await Fixture.with { it in
            var uploads = try (0..<4).map { _ in try FileServiceTests.begin(it, "greedy") }
            #expect(FileServiceTests.isRefused(it, "greedy"))
            #expect(!FileServiceTests.isRefused(it, "other"))
            uploads.removeLast()
            #expect(!FileServiceTests.isRefused(it, "greedy"))
        }
    }

    @Test("keep their place only while they bring 64 KiB a second on the average, after the first minute")
    func pace() async throws {
        try await Fixture.with { it in
            let upload = try FileServiceTests.begin(it, "slow")
            func isTooSlow() async -> Bool {
                do { try await upload.checkPace() } catch {
                    return (error as? Problem)?.code == "upload_too_slow"
                }
                return false
            }
            it.clock.step(.seconds(60))
            #expect(await !isTooSlow())
            try await upload.write(ByteBuffer(repeating: 7, count: 640 * 1024))
            it.clock.step(.seconds(10))
            #expect(await !isTooSlow())
            it.clock.step(.seconds(1))
            #expect(await isTooSlow())
        }
    }

    @Test("look at the disk's room again at each further MiB")
    func room() async throws {
        let looks = Mutex(0)
        let gauge: DiskRoom.Gauge = { _ in
            looks.withLock { $0 += 1 }
            return DiskRoom.Measure(freeBytes: looks.withLock { $0 } < 3 ? 1 << 40 : 0, totalBytes: 1 << 40)
        }
        try await Fixture.with(diskGauge: gauge) { it in
            let upload = try it.control.files.begin(name: "x", owner: .administrator)
            let piece = ByteBuffer(repeating: 7, count: 1 << 19)
            for _ in 0..<4 { try await upload.write(piece) }
            await #expect { try await upload.write(piece) } throws: { ($0 as? Problem) == .diskFull }
            #expect(looks.withLock { $0 } == 3)
        }
    }

    @Test("that a crash left without anybody knowing of them go at the next start, and no other")
    func orphans() async throws {
        let folder = "\(NSTemporaryDirectory())/mags-uploads-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let store = MemoryStore()
        let before = try FileService(store: store, folder: folder)
        let known = try before.begin(name: "known", owner: .administrator)
        try await known.write(ByteBuffer(string: "x"))
        _ = try await before.finish(known)
        for name in ["file-orphan", "file-half.part", "notes"] {
            try Data("x".utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
        let after = try FileService(store: store, folder: folder)
        // What comes while the server runs is nobody's orphan.
        try Data("x".utf8).write(to: URL(fileURLWithPath: "\(folder)/file-new"))
        try await after.removeOrphans()
        let left = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(Set(left) == [known.id, "file-new", "notes"])
    }

    @Test("go a day after their last use, and not while a job waits for them")
    func swept() async throws {
        try await Fixture.with { it in
            let needed = try await FileServiceTests.upload(it, "needed", "1")
            _ = try await FileServiceTests.upload(it, "unused", "2")
            let job = try await it.submit { $0.fileIDs = [needed.id] }
            await it.clock.sleeper(for: .seconds(3600))
            it.clock.step(.seconds(24 * 3600 + 1))
            await it.clock.sleeper(for: .seconds(3600))
            #expect(try FileServiceTests.files(it) == [needed.id])
            it.node.end(job.id)
            _ = try await it.control.jobs.ended(job.id)
            it.clock.step(.seconds(3600))
            await it.clock.sleeper(for: .seconds(3600))
            #expect(try FileServiceTests.files(it) == [])
        }
    }
}
