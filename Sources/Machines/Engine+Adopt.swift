import Glibc
import HostSystem
package import MagsModel
import NIOPosix

extension Engine {
    /// Takes over a machine that an earlier host process claimed: the same QEMU, new connections.
    ///
    /// - Parameter received: the position of the last frame that was processed, see `GuestEvent.frame`: the guest sends
    ///   again exactly what follows it.
    /// - Throws: when it is gone or does not answer; what is left of it is then removed.
    package func adopt(_ record: MachineRecord, received: UInt64) async throws(MachineError) -> Machine {
        let name = record.id.text
        let folder = configuration.machinesFolder + "/" + name
        guard machines[record.id] == nil, !slots.names.contains(name) else {
            throw .inUse(record.id)
        }
        guard record.boot == nil || record.boot == HostBoot.id else {
            throw MachineError("machine_gone", "The machine \(name) has ended with the host, which was started anew.")
        }
        guard let process = ChildProcess.adopt(pid: record.pid, startTime: record.startTime) else {
            throw MachineError("machine_gone", "The machine \(name) has ended.")
        }
        slots.reserve(record.slot, for: name)
        let hasNamespace = network != nil
        let namespace = hasNamespace ? try? HostSystem.FileDescriptor.open("/proc/\(record.pid)/ns/net", O_RDONLY) : nil
        let qemu = QEMUProcess(
            name: name, folder: folder, slot: record.slot, process: process, namespace: namespace,
            cgroup: MachineCgroup.existing(instance: configuration.instance, machine: name), slots: slots,
            complaints: nil)
        do {
            let clone = try await Clone.adopt(record, received: received, qemu: qemu, on: group.next())
            feed(.adopted(clone.kind))
            return keep(clone, as: record)
        } catch {
            await qemu.discard()
            throw error
        }
    }

    /// Removes everything of this server on the host that is neither in `keeping` nor in use here.
    package func reapLeftovers(keeping: Set<MachineID>) async {
        let reaper = Reaper(configuration: configuration, slots: slots)
        await reaper.reap(keeping: Set(keeping.map(\.text)))
    }
}
