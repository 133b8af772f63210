import Glibc
import GuestWire
import HostSystem
import MagsModel
import NIOCore
import QMP

extension Clone {
    /// The guest writes to its disks within 200 ms; what more it takes is the host's load.
    private static let restLimit = TimeAmount.seconds(5)
    private static let wakeLimit = TimeAmount.seconds(30)

    /// Holds the user's programs, stops the machine and saves it into its folder. The machine is stopped when this
    /// returns, and can still go on: `standUp`. When it throws, it stands already, or its owner is told that it is lost.
    func lieDown(
        _ record: MachineRecord, template: String, _ signposts: inout Signposts
    ) async throws(MachineError) -> SleepingMachine {
        // A process that ends once it is saved is no loss.
        link.setMute(true)
        do {
            let mark = SleepingMachine.markPath(in: qemu.folder)
            try await blocking("Saving a machine") { _ = try Clone.create(mark) }
            try await rest()
            signposts.passed("rest")
            try await monitor([.stop])
            signposts.passed("stop")
            let devices = try await saveDevices()
            signposts.passed("devices")
            let pid = qemu.process.pid
            let folder = qemu.folder
            // Nothing comes any more: the machine stands still, and what it said last is either counted or said again.
            let received = link.received
            let sleeping = try await blocking("Saving a machine") {
                let memory = try Clone.create(SleepingMachine.memoryPath(in: folder))
                let kept = try Clone.create(SleepingMachine.devicesPath(in: folder))
                return SleepingMachine(
                    record: record, received: received, template: template,
                    memory: try MemoryImage.save(ProcessMemory(of: pid, mapping: "template"), to: memory),
                    devices: try MemoryImage.copy(devices, to: kept), since: Int64(time(nil)))
            }
            signposts.passed("memory")
            return sleeping
        } catch {
            let told = MachineError("Saving a machine", error)
            await standUp()
            throw told
        }
    }

    /// After `lieDown`, when the machine is to go on instead. One that cannot is lost, and its owner is told by the wire.
    func standUp() async {
        do {
            try await getUp()
            await forgetSaved()
        } catch {
            link.end(.silent)
        }
        link.setMute(false)
    }

    /// What was saved is of no more use: the machine goes on.
    func forgetSaved() async {
        let folder = qemu.folder
        try? await blocking("Waking a machine") {
            for path in [
                SleepingMachine.memoryPath(in: folder), SleepingMachine.devicesPath(in: folder),
                SleepingMachine.markPath(in: folder),
            ] { MachineFiles.remove(path) }
        }
    }

    func getUp() async throws(MachineError) {
        try await monitor([.continueRunning])
        try await wire { link throws(GuestLoss) in try await link.waitUntilResumed(within: Clone.wakeLimit) }
        try await wake()
    }

    /// Ends the process of a machine that lies down; its folder stays.
    func leaveAsleep() async {
        link.end(.discarded)
        monitor.close()
        await qemu.end(keepsFolder: true)
    }

    /// The guest's randomness and clock are set before anything of the user's runs.
    func wake() async throws(MachineError) {
        let seed = randomBytes(64)
        let reply = try await ask(within: Clone.wakeLimit) { request in
            Wake(request: request, seed: seed, time: Clone.wallClock()).frame()
        }
        guard reply.errno == 0 else {
            throw MachineError("guest_failed", "The guest did not wake: \(reply.text) (errno \(reply.errno)).")
        }
    }

    private func rest() async throws(MachineError) {
        let reply = try await ask(within: Clone.restLimit) { Rest(request: $0).frame() }
        guard reply.errno == 0 else {
            throw MachineError("guest_failed", "The guest cannot rest: \(reply.text) (errno \(reply.errno)).")
        }
    }

    private func ask(
        within limit: TimeAmount, _ make: @escaping @Sendable (UInt32) -> Frame
    ) async throws(MachineError) -> Reply {
        do {
            return try await link.request(within: limit, make)
        } catch {
            throw qemu.explained(MachineError("guest_lost", error.description))
        }
    }

    /// All but the memory, in memory of ours.
    private func saveDevices() async throws -> HostSystem.FileDescriptor {
        let devices = try FileDescriptor.memfd(name: "devices")
        // QEMU looks for a descriptor that was opened for writing only.
        let target = try FileDescriptor.open("/proc/self/fd/\(devices.rawValue)", O_WRONLY)
        try await monitor.run(QEMUCommand.saveDevices, passing: target.rawValue)
        return devices
    }

    private static func create(_ path: String) throws(MachineError) -> HostSystem.FileDescriptor {
        do {
            return try FileDescriptor.open(path, O_RDWR | O_CREAT | O_TRUNC)
        } catch {
            throw MachineError(error)
        }
    }

    /// The machine as it was, in a new process, stopped: `getUp` lets it go on. Its folder is as before when this throws.
    static func restore(
        _ sleeping: SleepingMachine, template: Template, by launcher: QEMULauncher, on eventLoop: any EventLoop,
        _ signposts: inout Signposts
    ) async throws(MachineError) -> Clone {
        let folder = launcher.configuration.machinesFolder + "/" + sleeping.id.text
        let state = try await blocking("Waking a machine") {
            try MemoryImage.verified(
                FileDescriptor.open(SleepingMachine.devicesPath(in: folder), O_RDONLY), sleeping.devices)
        }
        let order = QEMULauncher.Order(
            accelerator: template.key.accelerator, size: template.kind.size,
            start: .wake(sleeping, state: state), memory: template.memory, root: template.root, upper: template.upper)
        let qemu = try await launcher.launch(order)
        signposts.passed("start")
        do {
            let monitor = try await qemu.connectMonitor(on: eventLoop)
            // It answers when its memory is there.
            try await monitor.run([.queryStatus])
            signposts.passed("monitor")
            let pid = qemu.process.pid
            try await blocking("Waking a machine") {
                try MemoryImage.load(
                    FileDescriptor.open(SleepingMachine.memoryPath(in: folder), O_RDONLY), sleeping.memory,
                    into: ProcessMemory(of: pid, mapping: "template"))
            }
            signposts.passed("memory")
            let link = try await qemu.connectWire(
                on: eventLoop, key: sleeping.record.key, received: sleeping.received)
            let clone = Clone(
                qemu: qemu, monitor: monitor, link: link, kind: template.kind, accelerator: template.key.accelerator,
                imageDigest: template.key.imageDigest, template: template.key.name)
            try await monitor.run([.migrateIncoming(descriptor: Int(QEMUCommand.Number.state.rawValue))])
            return clone
        } catch {
            let told = qemu.explained(MachineError("Waking a machine", error))
            await qemu.end(keepsFolder: true)
            throw told
        }
    }
}
