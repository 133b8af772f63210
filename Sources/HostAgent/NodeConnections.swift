import NodeWire
import Synchronization

/// The control planes that are connected. Reports go out in the order in which they are made, from any thread.
final class NodeConnections: Sendable {
    private let channels = Mutex<(next: Int, open: [Int: NodeChannel])>((1, [:]))

    func add(_ channel: NodeChannel) -> Int {
        channels.withLock { state in
            defer { state.next += 1 }
            state.open[state.next] = channel
            return state.next
        }
    }

    func remove(_ number: Int) { channels.withLock { _ = $0.open.removeValue(forKey: number) } }

    func report(_ report: Report) {
        channels.withLock { state in
            for channel in state.open.values { channel.send(.report(report)) }
        }
    }

    func closeAll() {
        channels.withLock { state in
            for channel in state.open.values { channel.close() }
        }
    }
}
