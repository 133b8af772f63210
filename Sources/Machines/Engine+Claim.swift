package import GuestWire
import HostSystem
import Logging
import MagsModel

extension Engine {
    /// Clones that may turn out bad before a claim fails.
    private static let attempts = 4

    /// A machine: a warmed clone if one stands ready, else one restored for this claim, else in line for it. A claim
    /// never loses its place; it ends early only when its task is cancelled, the engine shuts down, or machines of this
    /// kind cannot be made.
    ///
    /// - Parameter firstFrames: called with the machine that the claim is about to make; write down there what has to be
    ///   written before the user's script is sent. Its frames go out right behind the claim. When the guest refuses the
    ///   claim it has run none of them, another clone is taken, and this is called again. What it throws ends the claim.
    ///   When the guest is lost instead nobody knows what it has run: the claim ends with `machine_lost`.
    package func claim(
        _ request: ClaimRequest, firstFrames: @Sendable (MachineCandidate) throws -> [Frame] = { _ in [] }
    ) async throws -> Machine {
        let kind = MachineKind(
            image: request.image,
            size: try MachineSize.covering(
                memoryMebibytes: request.memoryMebibytes, processors: request.processors, hostMebibytes: hostMebibytes))
        if kind != pool.standard { _ = try ImageFiles.current(kind.image, in: configuration.cache) }
        guard let works else {
            throw MachineError("starting", "The host is still starting.", hint: "Try again in a moment.")
        }
        let folder = configuration.machinesFolder
        try await blocking("Looking for room") { try DiskRoom(at: folder).check() }
        let diskBytes = try await reserveDisk(request)
        defer { giveBack(diskBytes) }
        let disk: BlankDisk?
        if let diskBytes { disk = try await works.launcher.blanks.blank(of: diskBytes) } else { disk = nil }
        var lastError = MachineError.cancelled
        for attempt in 0..<Engine.attempts {
            let handed = try await nextClone(of: kind, isAgain: attempt > 0)
            let clone = handed.clone
            do {
                try Task.checkCancellation()
                if !handed.isStopped, configuration.isPrivileged { clone.qemu.setNice(0) }
                let candidate = clone.candidate(diskGigabytes: request.diskGigabytes)
                let frames = try firstFrames(candidate)
                do {
                    try await clone.claim(candidate, isStopped: handed.isStopped, disk: disk, firstFrames: frames)
                } catch {
                    logger.warning("claim failed", metadata: ["clone": "\(candidate.id)", "error": "\(error)"])
                    lastError = error
                    guard error.code == "claim_refused" else { throw error }
                    giveUp(clone)
                    continue
                }
                return keep(clone, as: candidate.record)
            } catch {
                giveUp(clone)
                throw error is CancellationError ? MachineError.cancelled : error
            }
        }
        throw lastError
    }

    func keep(_ clone: Clone, as record: MachineRecord) -> Machine {
        let machine = Machine(record: record, clone: clone) { [weak self] id in await self?.ended(id) }
        machines[machine.id] = machine
        return machine
    }

    private func nextClone(of kind: MachineKind, isAgain: Bool) async throws -> HandedClone {
        lastClaim += 1
        let claim = lastClaim
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { waiter in
                // Cancelled before it was in line: the handler has run already and found nothing.
                if Task.isCancelled { return waiter.resume(throwing: MachineError.cancelled) }
                claims[claim] = waiter
                feed(.claim(claim, kind, isAgain: isAgain))
            }
        } onCancel: {
            Task { await self.cancel(claim) }
        }
    }

    private func cancel(_ claim: PoolState.ClaimNumber) {
        guard let waiter = claims.removeValue(forKey: claim) else { return }
        waiter.resume(throwing: MachineError.cancelled)
        feed(.cancel(claim))
    }

    /// A clone that was handed out, but became nobody's machine.
    private func giveUp(_ clone: Clone) {
        background {
            await clone.discard()
            await self.feedMachineEnded(clone.kind)
        }
    }

    private func feedMachineEnded(_ kind: MachineKind) { feed(.machineEnded(kind)) }

    func ended(_ id: MachineID) {
        guard let machine = machines.removeValue(forKey: id) else { return }
        if machine.diskPath != nil { disksChanged() }
        feed(.machineEnded(MachineKind(image: machine.record.image, size: machine.record.size)))
    }
}
