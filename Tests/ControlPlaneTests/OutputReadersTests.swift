import MagsModel
import NodeWire
import Store
import Synchronization
import Testing

@testable import ControlPlane

@Suite("The readers of output")
struct OutputReadersTests {
    /// Keeps what it is told, once a hook has run that a test may set for the next `follow`.
    private final class HookedNode: Node {
        private let hook = Mutex<(@Sendable () async -> Void)?>(nil)
        private let log = Mutex<[Assignment]>([])

        func atNextFollow(_ body: @escaping @Sendable () async -> Void) { hook.withLock { $0 = body } }

        func send(_ assignment: Assignment) async {
            if case .follow = assignment {
                let body = hook.withLock { hook in
                    defer { hook = nil }
                    return hook
                }
                await body?()
            }
            log.withLock { $0.append(assignment) }
        }

        /// Readers that the node still sends to.
        var followed: Set<UInt32> {
            log.withLock { log in
                log.reduce(into: []) { readers, assignment in
                    switch assignment {
                    case .follow(let reader, _, _, _): readers.insert(reader)
                    case .unfollow(let reader): readers.remove(reader)
                    default: break
                    }
                }
            }
        }
    }

    @Test("that leave while they are taken up again on a new connection leave nothing on the node")
    func leavesDuringReconnection() async throws {
        let node = HookedNode()
        let questions = NodeQuestions(node: node, clock: .system)
        let readers = OutputReaders(node: node, questions: questions, maximum: 12, clock: .system)
        await readers.connectionOpened()
        var open: [OutputReader] = []
        for number in 0..<3 {
            open.append(try await readers.open(.random(), isLive: true, holder: "\(number)"))
        }
        #expect(node.followed == [1, 2, 3])
        readers.connectionLost()
        for reader in 1...3 as ClosedRange<UInt32> { await node.send(.unfollow(reader: reader)) }
        // While one is taken up: it has its number already, the two behind it have none yet.
        node.atNextFollow { [open] in for reader in open { await readers.close(reader) } }
        await readers.connectionOpened()
        #expect(node.followed == [])
        #expect((1...6 as ClosedRange<UInt32>).allSatisfy { readers.reader($0) == nil })
    }

    @Test("end with a word of their own when the server stops, and no other is taken")
    func stops() async throws {
        try await Fixture.with { it in
            let job = try await it.submit()
            let feed = try await it.control.jobs.output(of: job, isLive: true)
            it.control.close()
            await #expect { _ = try await feed.next() } throws: { ($0 as? Problem)?.code == "server_stopped" }
            await #expect { _ = try await it.control.jobs.output(of: job, isLive: true) } throws: {
                ($0 as? Problem)?.code == "server_stopped"
            }
        }
    }
}
