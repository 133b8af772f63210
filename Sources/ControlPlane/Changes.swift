import MagsModel
import Synchronization

/// Who waits for the next change of a job or an exec.
final class Changes: Sendable {
    private struct State {
        var next = 0
        var waiting: [JobID: [Int: CheckedContinuation<Void, Never>]] = [:]
    }

    private let state = Mutex(State())

    /// Returns after the next change, or once the caller is cancelled. A caller in an actor does not leave it before it
    /// waits: what it found out there still holds then.
    func next(of id: JobID, isolation: isolated (any Actor)? = #isolation) async {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                state.withLock { state in
                    if Task.isCancelled {
                        continuation.resume()
                    } else {
                        state.waiting[id, default: [:]][number] = continuation
                    }
                }
            }
        } onCancel: {
            state.withLock { state in
                state.waiting[id]?.removeValue(forKey: number)?.resume()
                if state.waiting[id]?.isEmpty == true { state.waiting[id] = nil }
            }
        }
    }

    func tell(of id: JobID) {
        let waiting = state.withLock { $0.waiting.removeValue(forKey: id) ?? [:] }
        for continuation in waiting.values { continuation.resume() }
    }
}
