import Foundation
import MagsModel
import NIOCore
import NIOPosix
import NodeWire
import Testing

@Suite("An assignment from a control plane that cannot be trusted")
struct AssignmentTests {
    private static let job = JobID.random()

    private static func start(_ change: (inout JobAssignment) -> Void) -> Assignment {
        var assignment = JobAssignment(id: job, script: "echo", environment: [:], timeoutSeconds: 60)
        change(&assignment)
        return .start(assignment)
    }

    /// What the other side of a connection gets of it before the connection ends.
    private func received(_ assignment: Assignment) async throws -> [NodeFrame] {
        let path = NSTemporaryDirectory() + "mags-\(UUID().uuidString.prefix(8)).sock"
        let listener = try await NodeListener.bind(path: path, group: MultiThreadedEventLoopGroup.singleton)
        let client = try await NodeChannel.connect(path: path, group: MultiThreadedEventLoopGroup.singleton)
        var connections = listener.connections.makeAsyncIterator()
        let node = try #require(await connections.next())
        client.send(.assignment(assignment))
        // The last word of an honest one.
        client.send(.assignment(.inventory))
        var frames: [NodeFrame] = []
        for await frame in node.frames {
            frames.append(frame)
            if case .assignment(.inventory) = frame { break }
        }
        client.close()
        await listener.close()
        return frames
    }

    @Test(
        "ends the connection when its numbers cannot be reckoned with",
        arguments: [
            .follow(reader: 1, job: job, from: .max, credit: 1), .follow(reader: 1, job: job, from: 0, credit: -1),
            .follow(reader: 1, job: job, from: 0, credit: .max), .consume(reader: 1, bytes: .max),
            .consume(reader: 1, bytes: .min), start { $0.timeoutSeconds = .max }, start { $0.timeoutSeconds = 0 },
            start { $0.memoryMebibytes = .max }, start { $0.processors = -1 }, start { $0.diskGigabytes = .max },
            start { $0.uploads = Array(repeating: .init(source: "a", name: "a"), count: Limits.filesPerJob + 1) },
        ] as [Assignment])
    func refused(assignment: Assignment) async throws {
        #expect(try await received(assignment).isEmpty)
    }

    @Test(
        "arrives with every number that the control plane may send",
        arguments: [
            .follow(reader: .max, job: job, from: UInt64(Int64.max), credit: 0), .consume(reader: 1, bytes: 1 << 30),
            start { $0.timeoutSeconds = Limits.maximumTimeoutSeconds },
            start { $0.diskGigabytes = Limits.maximumDiskGigabytes },
        ] as [Assignment])
    func arrives(assignment: Assignment) async throws {
        #expect(try await received(assignment).count == 2)
    }
}
