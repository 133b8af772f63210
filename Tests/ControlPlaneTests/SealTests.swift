import Foundation
import MagsModel
import Testing

@testable import ControlPlane

@Suite("The key that seals environments")
struct SealTests {
    private static func with(_ body: (String) async throws -> Void) async throws {
        let folder = "\(NSTemporaryDirectory())/mags-seal-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(folder)
    }

    @Test("is made once, whole, and read from then on; no draft of it stays")
    func made() async throws {
        try await SealTests.with { folder in
            let id = JobID.random()
            let first = try await Seal(keyFile: "\(folder)/key") { true }
            let sealed = try first.seal(["A": "b"], for: id)
            let second = try await Seal(keyFile: "\(folder)/key") { true }
            #expect(try second.open(sealed, of: id) == ["A": "b"])
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["key"])
            let mode = try FileManager.default.attributesOfItem(atPath: "\(folder)/key")[.posixPermissions]
            #expect(mode as? Int == 0o600)
        }
    }

    @Test(
        "is made anew in place of a file that a crash left empty or short, as long as nothing is sealed",
        arguments: [0, 7])
    func damaged(size: Int) async throws {
        try await SealTests.with { folder in
            let path = "\(folder)/key"
            try Data(count: size).write(to: URL(fileURLWithPath: path))
            await #expect { _ = try await Seal(keyFile: path) { true } } throws: { error in
                let text = "\(error)"
                return text.contains(path) && text.contains("backup") && text.contains("remove it")
            }
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)).count == size)
            _ = try await Seal(keyFile: path) { false }
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)).count == 32)
        }
    }
}
