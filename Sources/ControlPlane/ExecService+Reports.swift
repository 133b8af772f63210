import MagsModel
import NodeWire
import Store

extension ExecService {
    /// Brings an exec forward. Reports come one at a time, in the node's order.
    /// - Returns: false when the report is about no exec that has not ended.
    func take(_ report: Report) async throws -> Bool {
        switch report {
        case .pending(let id):
            guard open[id] != nil else { return false }
            await seen(id)
        case .running(let id, let machine):
            guard open[id] != nil else { return false }
            // First: whether or not that it runs can be stored, the node has it.
            await seen(id)
            if try await store.markRunning(exec: id, at: machine.startedAt) {
                open[id]?.isRunning = true
                open[id]?.assignment = nil
                changed(id)
            }
        case .ended(let id, let outcome, let machine):
            guard open[id] != nil else { return false }
            try await end(id, outcome, startedAt: machine?.startedAt)
            await node.send(.settle(id))
        default: return false
        }
        return true
    }

    /// The node is about to be asked what it knows. What is not stored yet it was not sent: that comes by itself.
    func reconcile() { missing = Set(open.lazy.filter(\.value.isStored).map(\.key)) }

    /// What the node did not mention it does not have: what had not begun is sent again while its time lasts, what ran is
    /// lost.
    func endReconciliation() async throws {
        guard let unmentioned = missing else { return }
        missing = nil
        for id in unmentioned {
            guard let exec = open[id] else { continue }
            if exec.isStopRequested {
                try await end(id, JobOutcome(cause: .stopped))
            } else if exec.isRunning {
                let message = "The command was lost with its machine, or when its host was started again."
                try await end(id, JobOutcome(cause: .failed, code: "machine_lost", message: message))
            } else if let assignment = exec.assignment, clock.now() < exec.deadline {
                await node.send(.start(assignment))
            } else {
                let message = "The command never ran: it did not reach its host, and is not sent again."
                try await end(id, JobOutcome(cause: .failed, code: "never_ran", message: message))
            }
        }
    }

    /// A stop may have been lost with the connection before.
    private func seen(_ id: JobID) async {
        guard missing?.remove(id) != nil, open[id]?.isStopRequested == true else { return }
        await node.send(.stop(id))
    }

    private func end(_ id: JobID, _ outcome: JobOutcome, startedAt: Int64? = nil) async throws {
        missing?.remove(id)
        let end = JobEnd(outcome: outcome, finishedAt: clock.now())
        _ = try await store.finish(exec: id, end, startedAt: startedAt)
        open[id] = nil
        changed(id)
    }
}
