import Glibc
import HostSystem
import MagsModel
import NIOCore
import QMP
import Synchronization

/// One QEMU and all that was made for it on the host, until `discard` has removed it.
final class QEMUProcess: Sendable {
    let name: String
    let folder: String
    let slot: Int
    let process: ChildProcess
    let namespace: HostSystem.FileDescriptor?
    private let cgroup: MachineCgroup?
    private let slots: Slots
    private let complaints: ComplaintSheet?
    private let discarding = Mutex<Task<Void, Never>?>(nil)

    init(
        name: String, folder: String, slot: Int, process: ChildProcess, namespace: HostSystem.FileDescriptor?,
        cgroup: MachineCgroup?, slots: Slots, complaints: ComplaintSheet?
    ) {
        self.name = name
        self.folder = folder
        self.slot = slot
        self.process = process
        self.namespace = namespace
        self.cgroup = cgroup
        self.slots = slots
        self.complaints = complaints
    }

    static func monitorPath(in folder: String) -> String { folder + "/monitor" }
    static func wirePath(in folder: String) -> String { folder + "/wire" }

    func connectMonitor(
        on eventLoop: any EventLoop, onEvent: @escaping @Sendable (QMPEvent) -> Void = { _ in }
    ) async throws(MachineError) -> QMPClient {
        do {
            return try await QMPClient.connect(
                path: QEMUProcess.monitorPath(in: folder), on: eventLoop, onEvent: onEvent)
        } catch {
            throw explained(MachineError("Connecting to QEMU", error))
        }
    }

    func connectWire(
        on eventLoop: any EventLoop, key: [UInt8], received: UInt64
    ) async throws(MachineError) -> GuestLink {
        do {
            return try await GuestLink.connect(
                path: QEMUProcess.wirePath(in: folder), on: eventLoop, key: key, received: received)
        } catch {
            throw explained(error)
        }
    }

    /// The error with what QEMU itself said, if it said anything.
    func explained(_ error: MachineError) -> MachineError {
        guard let text = complaints?.text, !text.isEmpty else { return error }
        var error = error
        error.message += " QEMU said: \(text)"
        return error
    }

    /// Every thread of the process; threads that it starts later inherit from these.
    func setNice(_ value: CInt) {
        for thread in MachineFiles.names(in: "/proc/\(process.pid)/task") {
            guard let id = UInt32(thread) else { continue }
            setpriority(__priority_which_t(PRIO_PROCESS.rawValue), id, value)
        }
    }

    /// Ends the process and removes everything of it. May be called again; each caller returns when all is gone.
    func discard() async { await end(keepsFolder: false) }

    /// The same for a machine that may sleep in its folder. The first caller says whether that stays.
    func end(keepsFolder: Bool) async {
        let task = discarding.withLock { running in
            let task = running ?? Task { await self.remove(keepsFolder: keepsFolder) }
            running = task
            return task
        }
        await task.value
    }

    private func remove(keepsFolder: Bool) async {
        process.signal(SIGKILL)
        _ = await process.waitForExit()
        let cgroup = cgroup
        let folder = folder
        try? await blocking("Removing a machine") {
            cgroup?.remove()
            // The note says whose slot it is; the sockets end with the process.
            let gone =
                keepsFolder
                ? [FolderNote.path(in: folder), QEMUProcess.monitorPath(in: folder), QEMUProcess.wirePath(in: folder)]
                : [folder]
            for path in gone { MachineFiles.remove(path) }
        }
        // With it the namespace, its tap and its cable go: only then the slot is free.
        if let namespace, namespace.rawValue >= 0 { close(namespace.take()) }
        slots.release(slot)
    }
}
