import Foundation
import MagsModel
import Testing

@testable import HostAgent

@Suite("Where the wire of a machine with several scripts stands")
struct WirePositionTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test("is not there before the second script, and is found again with the last stream's number")
    func life() throws {
        #expect(try WirePosition.read(in: folder.path) == nil)
        let made = try WirePosition.make(in: folder.path, 77, lastStream: 2)
        #expect(try WirePosition.read(in: folder.path) == 77)
        try made.write(lastStream: 9)
        try made.write(position: 1 << 40)
        let (found, lastStream) = try #require(try WirePosition.open(in: folder.path))
        #expect(lastStream == 9)
        try found.write(position: 1 << 41)
        #expect(try WirePosition.read(in: folder.path) == 1 << 41)
    }

    @Test("is an error when it was cut off: going on from a guess would lose output or have it twice")
    func damaged() throws {
        _ = try WirePosition.make(in: folder.path, 77, lastStream: 2)
        try #require(truncate(WirePosition.path(in: folder.path), 12) == 0)
        #expect(throws: Problem.self) { try WirePosition.read(in: folder.path) }
    }
}
