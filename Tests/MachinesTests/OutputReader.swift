import GuestWire
import Synchronization

@testable import Machines

/// Takes a machine's output the way a host agent does: when the handler returns, a frame is processed.
final class OutputReader: Sendable {
    private let state = Mutex((output: [UInt8](), received: UInt64(0)))
    private let counts = AsyncStream.makeStream(of: Int.self)

    var progress: (output: [UInt8], received: UInt64) { state.withLock { $0 } }

    func take(_ event: GuestEvent) {
        if case .caughtUp(let position) = event { return state.withLock { $0.received = position } }
        guard case .frame(let frame, let position) = event else { return counts.continuation.finish() }
        let count = state.withLock { state in
            state.received = position
            if frame.kind == .stdout { state.output += frame.payload }
            return state.output.count
        }
        counts.continuation.yield(count)
    }

    func wait(forBytes count: Int) async throws {
        for await seen in counts.stream where seen >= count { return }
        throw GuestLoss.ended
    }

    /// Frames and the end.
    static func events(of machine: Machine) -> AsyncStream<GuestEvent> {
        let (events, tell) = AsyncStream.makeStream(of: GuestEvent.self)
        machine.attach {
            if case .caughtUp = $0 { return }
            tell.yield($0)
            if case .lost = $0 { tell.finish() }
        }
        return events
    }

    /// Lets standard output of stream 1 reach a window beyond what came.
    static func credit(beyond count: Int) -> Frame {
        Credit(stdout: UInt64(count) + UInt64(Credit.window), stderr: 0).frame(stream: 1)
    }
}

/// Keeps values that come from anywhere.
final class Recorder<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])
    var all: [Value] { values.withLock { $0 } }

    /// - Returns: how many there are now.
    func add(_ value: Value) -> Int {
        values.withLock {
            $0.append(value)
            return $0.count
        }
    }
}
