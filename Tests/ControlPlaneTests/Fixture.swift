import ControlPlane
import Foundation
import Logging
import MagsModel
import NodeWire
import Store
import Synchronization

/// A clock that moves when a test says so.
final class SteppingClock: Sendable {
    private struct Sleeper {
        let until: Int64
        let wake: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now: Int64 = 1_700_000_000_000_000
        var next = 0
        var sleepers: [Int: Sleeper] = [:]
        var watchers: [(Int64, CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var clock: WallClock {
        WallClock(now: { self.state.withLock { $0.now } }, sleep: { try await self.sleep($0) })
    }

    /// Returns once somebody sleeps this long, so that a step does not come too early.
    func sleeper(for duration: Duration) async {
        let microseconds = duration.components.seconds * 1_000_000
        await withCheckedContinuation { found in
            state.withLock { state in
                if state.sleepers.values.contains(where: { $0.until - state.now == microseconds }) {
                    found.resume()
                } else {
                    state.watchers.append((microseconds, found))
                }
            }
        }
    }

    func step(_ duration: Duration) {
        state.withLock { state in
            state.now += duration.components.seconds * 1_000_000
            for (id, sleeper) in state.sleepers where sleeper.until <= state.now {
                state.sleepers[id] = nil
                sleeper.wake.resume()
            }
        }
    }

    private func sleep(_ duration: Duration) async throws {
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (wake: CheckedContinuation<Void, any Error>) in
                state.withLock { state in
                    if Task.isCancelled { return wake.resume(throwing: CancellationError()) }
                    let microseconds = duration.components.seconds * 1_000_000
                    state.sleepers[id] = Sleeper(until: state.now + microseconds, wake: wake)
                    state.watchers.removeAll { wanted, found in
                        guard wanted == microseconds else { return false }
                        found.resume()
                        return true
                    }
                }
            }
        } onCancel: {
            state.withLock { $0.sleepers.removeValue(forKey: id) }?.wake.resume(throwing: CancellationError())
        }
    }
}

/// A control plane with a store and a small node, in a folder of its own.
struct Fixture {
    let folder: String
    let store: any Store
    let node: SmallNode
    let control: ControlPlane
    let clock: SteppingClock

    static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    /// - Parameter isConnected: false leaves the node's connection to the body.
    static func with(
        isConnected: Bool = true, store: any Store = MemoryStore(), node: SmallNode = SmallNode(),
        maximumReaders: Int = 100, maximumUploadBytes: Int = 4 << 20,
        diskGauge: @escaping DiskRoom.Gauge = { _ in nil },
        _ body: @escaping @Sendable (Fixture) async throws -> Void
    ) async throws {
        let folder = "\(NSTemporaryDirectory())/mags-control-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let clock = SteppingClock()
        var configuration = ControlPlane.Configuration(folder: folder, hostMemoryMebibytes: 8192)
        configuration.maximumReaders = maximumReaders
        configuration.maximumUploadBytes = maximumUploadBytes
        configuration.diskGauge = diskGauge
        let control = try await ControlPlane(
            configuration: configuration, store: store, node: node, clock: clock.clock, logger: logger)
        let fixture = Fixture(folder: folder, store: store, node: node, control: control, clock: clock)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { do { try await control.run() } catch is CancellationError {} }
            defer { group.cancelAll() }
            if isConnected { try await fixture.connect() }
            try await body(fixture)
        }
    }

    /// Connects, and returns when the two have compared what they know.
    func connect() async throws {
        node.connect(to: control)
        _ = await node.received { if case .inventory = $0 { true } else { false } }
        // A question goes the same way as the readers' new subscriptions, behind the inventory.
        _ = try await control.pool()
    }

    func submit(
        _ script: String = "echo", _ change: @Sendable (inout Submission) -> Void = { _ in }
    ) async throws -> JobRecord {
        var submission = Submission(owner: .administrator, script: script)
        change(&submission)
        return try await control.jobs.submit(submission)
    }
}
