import HostSystem
import Logging
import NIOCore
import NIOPosix

extension Engine {
    /// Tells the pool what happened and does what it says.
    func feed(_ event: PoolState.Event) {
        for effect in pool.handle(event, at: now) {
            switch effect {
            case .restore(let number, let kind, let isUrgent): restore(number, kind, isUrgent: isUrgent)
            case .warmUp(let number): warmUp(number)
            case .hand(let number, let claim): hand(number, to: claim)
            case .discard(let number): discard(number)
            case .lookAgain(let delay): lookAgain(after: delay)
            case .refuse(let claim, let error): claims.removeValue(forKey: claim)?.resume(throwing: error)
            }
        }
    }

    /// Claims come in bunches: one look is enough for all of them.
    private func lookAgain(after delay: Duration) {
        guard !isLookingAgain else { return }
        isLookingAgain = true
        group.next().scheduleTask(in: .nanoseconds(Int64(delay / .nanoseconds(1)))) { [weak self] in
            Task { await self?.look() }
        }
    }

    private func look() {
        isLookingAgain = false
        feed(.tick)
    }

    private func restore(_ number: PoolState.CloneNumber, _ kind: MachineKind, isUrgent: Bool) {
        guard let works else { return }
        let nice: Int32 = isUrgent || !configuration.isPrivileged ? 0 : Engine.patientNice
        let eventLoop = group.next()
        let logger = logger
        let folder = configuration.machinesFolder
        background {
            do {
                try await blocking("Looking for room") { try DiskRoom(at: folder).check() }
                let template = try await works.rack.template(for: kind)
                do {
                    var signposts = Signposts()
                    let clone = try await Clone.restore(
                        template, by: works.launcher, on: eventLoop, nice: nice, &signposts)
                    logger.debug("clone restored", metadata: ["steps": "\(signposts.text)"])
                    await works.rack.prove(kind)
                    await self.restored(number, clone)
                } catch {
                    await works.rack.doubt(kind)
                    throw error
                }
            } catch {
                await self.lost(number, MachineError("Restoring a machine", error))
            }
        }
    }

    /// What is made ahead of demand leaves the processors to the jobs.
    static let patientNice: Int32 = 19

    private func restored(_ number: PoolState.CloneNumber, _ clone: Clone) {
        clones[number] = clone
        guard pool.members[number]?.phase == .restoring else { return discard(number) }
        background { [weak self] in
            // QEMU ends by itself only when something is wrong with it.
            try? await clone.link.closed.get()
            await self?.closed(number)
        }
        feed(.restored(number))
    }

    private func closed(_ number: PoolState.CloneNumber) async {
        guard let clone = clones.removeValue(forKey: number) else { return }
        // Before anything waits: the pool would hand out meanwhile what is not there any more.
        feed(.gone(number, failure: MachineError("clone_ended", "A clone of the pool ended by itself.")))
        await clone.discard()
    }

    private func warmUp(_ number: PoolState.CloneNumber) {
        guard let clone = clones[number] else { return }
        let logger = logger
        let isPatient = configuration.isPrivileged
        background {
            do {
                var signposts = Signposts()
                try await clone.warmUp()
                signposts.passed("warm-up")
                let memory = try await blocking("Looking at a clone") {
                    // It stands still now; when it is claimed it must not have to wait for anybody.
                    if isPatient { clone.qemu.setNice(0) }
                    return HostMemory.privateMebibytes(of: clone.qemu.process.pid)
                }
                logger.debug(
                    "clone warmed", metadata: ["steps": "\(signposts.text)", "private": "\(memory ?? 0) MiB"])
                await self.warmed(number, privateMebibytes: memory)
            } catch {
                await self.lost(number, MachineError("Warming a machine up", error))
            }
        }
    }

    private func warmed(_ number: PoolState.CloneNumber, privateMebibytes: Int?) {
        if let privateMebibytes { perCloneMebibytes = (3 * perCloneMebibytes + privateMebibytes) / 4 }
        feed(.warmed(number))
    }

    private func lost(_ number: PoolState.CloneNumber, _ error: MachineError) async {
        // A clone that the pool has given up already fails because of that.
        if pool.members[number]?.phase != .leaving {
            logger.warning("clone failed", metadata: ["error": "\(error)"])
        }
        await clones.removeValue(forKey: number)?.discard()
        feed(.gone(number, failure: error))
    }

    private func hand(_ number: PoolState.CloneNumber, to claim: PoolState.ClaimNumber) {
        guard let clone = clones.removeValue(forKey: number), let waiter = claims.removeValue(forKey: claim) else {
            // The pool hands out only what it has and only to who waits.
            logger.error("a clone was handed to nobody", metadata: ["clone": "\(number)"])
            return
        }
        waiter.resume(returning: HandedClone(clone: clone, isStopped: clone.isWarm))
    }

    private func discard(_ number: PoolState.CloneNumber) {
        // One that is still being restored is discarded when it is there.
        guard let clone = clones.removeValue(forKey: number) else { return }
        background {
            await clone.discard()
            await self.discarded(number)
        }
    }

    private func discarded(_ number: PoolState.CloneNumber) { feed(.gone(number, failure: nil)) }
}
