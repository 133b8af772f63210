package import Machines
import MagsModel
import Synchronization

/// Owns the machines of ended jobs until nothing is left of them.
package final class MachineRelease: Sendable {
    private let tasks = Mutex<[MachineID: Task<Void, Never>]>([:])

    package init() {}

    package func release(_ machine: Machine) {
        tasks.withLock { tasks in
            guard tasks[machine.id] == nil else { return }
            tasks[machine.id] = Task {
                await machine.discard()
                self.tasks.withLock { _ = $0.removeValue(forKey: machine.id) }
            }
        }
    }

    /// Returns when all that was released is gone.
    package func drain() async {
        for task in tasks.withLock({ Array($0.values) }) { await task.value }
    }
}
