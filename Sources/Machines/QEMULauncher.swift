import Glibc
import HostSystem
import Logging
import MagsModel

/// Starts QEMUs, each in a folder, a user, a cgroup and a network namespace of its own.
struct QEMULauncher: Sendable {
    let configuration: EngineConfiguration
    let network: HostNetwork?
    let program: String
    let slots: Slots
    let logger: Logger
    let blanks = BlankDisks()

    struct Order: Sendable {
        enum Start: Sendable {
            case boot(kernel: FileDescriptor, initramfs: FileDescriptor, parameters: String)
            case restore(state: FileDescriptor)
            /// In the folder of a machine that slept, under its name.
            case wake(SleepingMachine, state: FileDescriptor)
        }
        var accelerator: Accelerator
        var size: MachineSize
        var start: Start
        var memory: FileDescriptor
        var root: FileDescriptor
        var upper: FileDescriptor
        var nice: Int32 = 0
    }

    /// In every process of this server, and in no other's: what the reaper looks for.
    static func processName(_ name: String, of instance: Instance) -> String { "mags-\(instance.name)-\(name)" }

    func launch(_ order: Order) async throws(MachineError) -> QEMUProcess {
        let name = order.start.sleeping?.record.id.text ?? MachineID.random().text
        let slot = try slots.take(for: name)
        let folder = configuration.machinesFolder + "/" + name
        do {
            // The namespace first: it is the slowest part, and QEMU takes the tap over.
            let network = try await makeNetwork(slot: slot)
            let spare = try await blanks.blank(of: BlankDisks.spareBytes)
            return try await blocking("Starting QEMU") {
                try start(order, name: name, folder: folder, slot: slot, spare: spare, network: network)
            }
        } catch {
            // A machine that did not wake sleeps on.
            if order.start.sleeping == nil {
                try? await blocking("Removing a machine") { MachineFiles.remove(folder) }
            }
            slots.release(slot)
            throw MachineError("Starting QEMU", error)
        }
    }

    private func makeNetwork(slot: Int) async throws(MachineError) -> MachineNetwork? {
        guard let network else { return nil }
        do {
            return try await network.makeMachineNetwork(slot: slot)
        } catch {
            throw MachineError(error)
        }
    }

    private func start(
        _ order: Order, name: String, folder: String, slot: Int, spare: BlankDisk, network: MachineNetwork?
    ) throws -> QEMUProcess {
        try MachineFiles.makeFolder(folder)
        try MachineFiles.write(FolderNote(slot: slot), to: FolderNote.path(in: folder))
        let complaints = try ComplaintSheet()
        let command = QEMUCommand(
            name: QEMULauncher.processName(name, of: configuration.instance), accelerator: order.accelerator,
            size: order.size, start: try start(order.start, in: folder),
            monitor: try UnixListener.make(at: QEMUProcess.monitorPath(in: folder)),
            wire: try UnixListener.make(at: QEMUProcess.wirePath(in: folder)), memory: order.memory, root: order.root,
            upper: order.upper, spare: try spareDisk(order.start, spare, in: folder), tap: network?.tap,
            errors: complaints.descriptor)
        let cgroup =
            configuration.isPrivileged
            ? try MachineCgroup.make(
                instance: configuration.instance, machine: name, memoryBytes: order.size.limitBytes, pids: 160,
                cpuShares: 1024) : nil
        let uid = configuration.isPrivileged ? configuration.instance.machineUID(slot) : nil
        do {
            var spec = ProcessSpec(
                program: program, arguments: command.arguments, environment: ["PATH=/usr/bin:/bin"],
                descriptors: command.descriptors, uid: uid,
                gid: uid == nil ? nil : QEMULauncher.group(for: order.accelerator) ?? uid,
                networkNamespace: network?.namespace, cgroup: cgroup, nice: order.nice, isFirstToGo: true,
                hasPrivateMounts: configuration.isPrivileged, maximumOpenFiles: 256, directory: "/")
            spec.hiddenFolders = hiddenFolders
            let process = try ChildProcess.spawn(spec)
            return QEMUProcess(
                name: name, folder: folder, slot: slot, process: process, namespace: network?.namespace,
                cgroup: cgroup?.joined, slots: slots, complaints: complaints)
        } catch {
            cgroup?.remove()
            throw error
        }
    }

    /// Where people, services and we keep what a broken QEMU has no business with; never where QEMU itself lies.
    private var hiddenFolders: [String] {
        ["/home", "/root", "/run", "/tmp", "/var", "/srv", "/mnt", "/media", "/dev/shm", configuration.home]
            .filter { !program.hasPrefix($0 + "/") }
    }

    private func start(_ start: Order.Start, in folder: String) throws(MachineError) -> QEMUCommand.Start {
        switch start {
        case .boot(let kernel, let initramfs, let parameters):
            .boot(kernel: kernel, initramfs: initramfs, parameters: parameters)
        case .restore(let state):
            .restore(state: state, layer: try ThrowawayLayer.make(in: folder), isWake: false)
        case .wake(_, let state):
            .restore(state: state, layer: try open(ThrowawayLayer.path(in: folder)), isWake: true)
        }
    }

    private func spareDisk(
        _ start: Order.Start, _ spare: BlankDisk, in folder: String
    ) throws(MachineError) -> FileDescriptor {
        guard start.sleeping?.record.diskGigabytes != nil else { return try spare.copy(in: folder, isNamed: false) }
        return try open(BlankDisk.path(in: folder))
    }

    private func open(_ path: String) throws(MachineError) -> FileDescriptor {
        do {
            return try FileDescriptor.open(path, O_RDWR)
        } catch {
            throw MachineError(error)
        }
    }

    /// The group that may open `/dev/kvm`, when KVM is used.
    private static func group(for accelerator: Accelerator) -> UInt32? {
        var status = stat()
        guard accelerator == .kvm, stat("/dev/kvm", &status) == 0 else { return nil }
        return status.st_gid
    }
}

extension QEMULauncher.Order.Start {
    /// The machine that is to go on.
    var sleeping: SleepingMachine? {
        if case .wake(let sleeping, _) = self { sleeping } else { nil }
    }
}
