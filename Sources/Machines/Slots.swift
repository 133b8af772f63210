import HostSystem
import Synchronization

/// The numbers that machines of one server are told apart by on the host: a user, an address, a namespace.
final class Slots: Sendable {
    private struct State {
        /// By the name of what has it; nil for what an earlier process left.
        var used: [Int: String?] = [:]
        var next = 0
    }
    private let state = Mutex(State())

    /// Goes round, so that a number rests as long as possible before its next use.
    func take(for name: String) throws(MachineError) -> Int {
        let slot = state.withLock { state -> Int? in
            for offset in 0..<Instance.slotCount {
                let slot = (state.next + offset) % Instance.slotCount
                if state.used[slot] == nil {
                    state.used[slot] = name
                    state.next = slot + 1
                    return slot
                }
            }
            return nil
        }
        guard let slot else {
            throw MachineError("host_full", "The host has as many machines as it can tell apart.")
        }
        return slot
    }

    /// For a machine that an earlier process left; `name` once it is adopted, and it stays that one's then.
    func reserve(_ slot: Int, for name: String?) {
        state.withLock { state in
            if name != nil || state.used[slot] == nil { state.used[slot] = .some(name) }
        }
    }

    func release(_ slot: Int) { state.withLock { _ = $0.used.removeValue(forKey: slot) } }

    /// What this process has running.
    var names: Set<String> { state.withLock { Set($0.used.values.compactMap(\.self)) } }
}
