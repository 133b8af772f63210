internal import Dispatch
internal import Foundation
internal import Synchronization

/// Threads for look-ups that block, started when there is work for them. What comes beyond the limits is dropped: the
/// guest asks again.
final class Workers: Sendable {
    typealias Work = @Sendable () -> Void

    private struct State {
        var queue: [(source: UInt32, work: Work)] = []
        var idle = 0
    }

    private let gate = Gate(most: 256, mostForOne: 16)
    private let state = Mutex(State())
    private let available = DispatchSemaphore(value: 0)

    func submit(from source: UInt32, _ work: @escaping Work) {
        guard gate.enter(source) else { return }
        let needsThread = state.withLock { state in
            state.queue.append((source, work))
            guard state.idle > 0 else { return true }
            state.idle -= 1
            return false
        }
        if needsThread { Thread.detachNewThread { [self] in serve() } }
        available.signal()
    }

    /// There are as many signals as pieces of work. A thread is idle again before the gate lets the next one in, so there
    /// are never more threads than the gate's limit.
    private func serve() {
        while true {
            available.wait()
            let next = state.withLock { $0.queue.isEmpty ? nil : $0.queue.removeFirst() }
            guard let next else { continue }
            next.work()
            state.withLock { $0.idle += 1 }
            gate.leave(next.source)
        }
    }
}
