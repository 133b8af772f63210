import Glibc
import HostSystem
import Logging
package import MagsModel
import NIOPosix

extension Engine {
    /// Puts a machine to sleep: all of it lies in its folder then, and nothing of it runs.
    ///
    /// - Parameter keep: writes down that the machine sleeps, before its process ends. When it throws, the machine goes
    ///   on. Of a crash before it the machine is left, of one behind it what sleeps.
    /// - Throws: when the machine goes on instead, or is lost: its owner is told of that by the wire.
    package func sleep(
        _ machine: Machine, keep: @Sendable (SleepingMachine) async throws -> Void
    ) async throws(MachineError) -> SleepingMachine {
        guard let template = machine.record.template else {
            throw MachineError("cannot_sleep", "The machine was made by a version that knew no sleep.")
        }
        guard machines[machine.id] === machine, inTransition.insert(machine.id).inserted else {
            throw .inUse(machine.id)
        }
        defer { inTransition.remove(machine.id) }
        var signposts = Signposts()
        let sleeping = try await machine.clone.lieDown(machine.record, template: template, &signposts)
        do {
            try await keep(sleeping)
        } catch {
            await machine.clone.standUp()
            throw MachineError("Keeping a sleeping machine", error)
        }
        signposts.passed("kept")
        await machine.clone.leaveAsleep()
        signposts.passed("end")
        ended(machine.id)
        logger.debug("machine sleeps", metadata: ["steps": "\(signposts.text)", "bytes": "\(sleeping.bytes)"])
        return sleeping
    }

    /// Lets a sleeping machine go on, under the same name, in a new process.
    ///
    /// - Parameter keep: writes down that it runs, before it does: from then on what sleeps is of no more use, since the
    ///   machine's disk changes.
    /// - Throws: when it sleeps on; `memory_damaged` and `memory_incompatible` when it can never go on; `machine_lost` when
    ///   nothing of it is left.
    package func wake(
        _ sleeping: SleepingMachine, keep: @Sendable (MachineRecord) async throws -> Void
    ) async throws(MachineError) -> Machine {
        guard let works else {
            throw MachineError("starting", "The host is still starting.", hint: "Try again in a moment.")
        }
        guard machines[sleeping.id] == nil, inTransition.insert(sleeping.id).inserted else {
            throw .inUse(sleeping.id)
        }
        defer { inTransition.remove(sleeping.id) }
        // A crash may have left the process that it slept from.
        if let old = ChildProcess.adopt(pid: sleeping.record.pid, startTime: sleeping.record.startTime) {
            old.signal(SIGKILL)
            _ = await old.waitForExit()
        }
        let kind = MachineKind(image: sleeping.record.image, size: sleeping.record.size)
        let template = try await works.rack.template(for: kind)
        guard template.key.name == sleeping.template else {
            throw MachineError(
                "memory_incompatible", "The machine's memory belongs to a template that is no longer there.")
        }
        var signposts = Signposts()
        let clone = try await Clone.restore(
            sleeping, template: template, by: works.launcher, on: group.next(), &signposts)
        var record = sleeping.record
        (record.pid, record.startTime) = (clone.qemu.process.pid, clone.qemu.process.startTime)
        (record.slot, record.boot) = (clone.qemu.slot, HostBoot.id)
        do {
            try await keep(record)
        } catch {
            await clone.leaveAsleep()
            throw MachineError("Waking a machine", error)
        }
        do {
            try await clone.getUp()
        } catch {
            await clone.discard()
            throw MachineError("machine_lost", "The machine was lost as it woke: \(error.message)", hint: error.hint)
        }
        signposts.passed("guest")
        logger.debug("machine woke", metadata: ["steps": "\(signposts.text)"])
        await clone.forgetSaved()
        feed(.adopted(kind))
        return self.keep(clone, as: record)
    }

    /// Removes a machine that sleeps.
    package func remove(_ sleeping: SleepingMachine) async {
        let folder = configuration.machinesFolder + "/" + sleeping.id.text
        try? await blocking("Removing a machine") { MachineFiles.remove(folder) }
    }
}
