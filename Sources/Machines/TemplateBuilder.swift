import Glibc
import GuestWire
import HostSystem
import Logging
import NIOCore
import QMP
import Synchronization

/// Boots a machine once, has the guest assemble its root, and saves it while it runs.
struct TemplateBuilder: Sendable {
    let launcher: QEMULauncher
    let store: TemplateStore
    let boot: BootFiles
    let image: ImageFiles
    let eventLoop: any EventLoop
    let logger: Logger

    /// With KVM a boot takes a third of a second; one that takes ten times as long will never end.
    static func bootLimit(_ accelerator: Accelerator) -> TimeAmount {
        accelerator == .kvm ? .seconds(3) : .seconds(120)
    }

    /// For the machine that is saved: what does not come to an end by its own limits, such as the saving, ends by this.
    private static let limit = TimeAmount.minutes(6)

    /// With the template's lock. The result lies in the store.
    func build(_ key: TemplateKey) async throws(MachineError) {
        var signposts = Signposts()
        let work = try await blocking("Building a template") { try store.makeWorkFolder(key) }
        do {
            let upper = try await UpperDisk.make(in: work)
            signposts.passed("disk")
            let memory = try await blocking("Building a template") { try UpperDisk.emptyMemory(key.size) }
            let order = QEMULauncher.Order(
                accelerator: key.accelerator, size: key.size,
                start: .boot(
                    kernel: try store.open(boot.kernel), initramfs: try store.open(boot.initramfs),
                    parameters: KernelParameters.text(
                        accelerator: key.accelerator, tscKilohertz: key.tscKilohertz)),
                memory: memory, root: try store.open(image.root), upper: upper)
            let qemu = try await launcher.launch(order)
            signposts.passed("start")
            let position: UInt64
            let isLate = Atomic(false)
            let deadline = eventLoop.scheduleTask(in: TemplateBuilder.limit) {
                isLate.store(true, ordering: .releasing)
                qemu.process.signal(SIGKILL)
            }
            defer { deadline.cancel() }
            do {
                position = try await withTaskCancellationHandler {
                    try await bootAndSave(qemu, key: key, work: work, &signposts)
                } onCancel: {
                    // Whatever is being waited for then fails.
                    qemu.process.signal(SIGKILL)
                }
            } catch {
                let told = qemu.explained(MachineError("Building a template", error))
                await qemu.discard()
                if Task.isCancelled { throw MachineError.cancelled }
                guard isLate.load(ordering: .acquiring) else { throw told }
                throw MachineError("template_failed", "The machine was not ready to be saved within six minutes.")
            }
            await qemu.discard()
            try await blocking("Storing a template") {
                try finish(key, work: work, memory: memory, upper: upper, position: position)
            }
            signposts.passed("store")
            logger.info("template built", metadata: ["key": "\(key.text)", "steps": "\(signposts.text)"])
        } catch {
            try? await blocking("Building a template") { MachineFiles.remove(work) }
            throw MachineError("Building a template", error)
        }
    }

    private func bootAndSave(
        _ qemu: QEMUProcess, key: TemplateKey, work: String, _ signposts: inout Signposts
    ) async throws(MachineError) -> UInt64 {
        let (migrations, tell) = AsyncStream.makeStream(of: String.self)
        let monitor = try await qemu.connectMonitor(on: eventLoop) { event in
            if event.name == "MIGRATION", let status = event.data["status"]?.text { tell.yield(status) }
        }
        defer { monitor.close() }
        monitor.closed.whenComplete { _ in tell.finish() }
        let link = try await qemu.connectWire(on: eventLoop, key: Resume.unclaimedKey, received: 0)
        defer { link.end(.discarded) }
        do {
            let limit = TemplateBuilder.bootLimit(key.accelerator)
            try await link.waitUntilResumed(within: limit)
            let hello = try Hello(try await link.ask([], within: limit))
            guard hello.version == Hello.currentVersion else {
                throw MachineError("guest_too_old", "The guest speaks version \(hello.version) of the wire, not ours.")
            }
            signposts.passed("boot")
            let assemble = Prepare(request: 1, stage: .assemble)
            let reply = try Reply(try await link.ask([assemble.frame()], within: .seconds(120)))
            guard reply.request == 1, reply.errno == 0 else {
                throw MachineError(
                    "guest_failed", "The guest could not assemble its root: \(reply.text) (errno \(reply.errno)).")
            }
            signposts.passed("assemble")
            try await settle(monitor)
            signposts.passed("settle")
            try await save(monitor, to: work + "/state", migrations)
            signposts.passed("save")
            return link.received
        } catch {
            throw TemplateBuilder.explain(error)
        }
    }

    /// Waits until the guest has written what it has to write: three looks in a row see no new write, or two seconds are
    /// over. What is in the guest's memory then is saved with it; this only keeps every clone from writing it again.
    private func settle(_ monitor: QMPClient) async throws {
        var last: [Int64] = []
        var calmLooks = 0
        for _ in 0..<40 where calmLooks < 3 {
            try await Task.sleep(for: .milliseconds(50))
            let stats = try await monitor.run(.queryBlockStats).list ?? []
            let writes = stats.compactMap { $0["stats"]?["wr_operations"]?.integer }
            calmLooks = writes == last ? calmLooks + 1 : 0
            last = writes
        }
    }

    /// Saves the devices while the machine runs; memory is shared with our descriptor and not part of the state. It is
    /// not stopped before: a state that was saved stopped starts stopped.
    private func save(_ monitor: QMPClient, to path: String, _ migrations: AsyncStream<String>) async throws {
        let state = try store.open(path, O_RDWR | O_CREAT | O_EXCL)
        try await monitor.run(.receiveDescriptor(named: "state"), passing: state.rawValue)
        try await monitor.run([
            .migrationCapabilities("x-ignore-shared", "events"),
            QMPCommand("migrate-set-parameters", ["max-bandwidth": .integer(1 << 40)]),
            .migrate(toDescriptorNamed: "state"),
        ])
        for await status in migrations {
            if status == "completed" { return }
            if status == "failed" { break }
        }
        throw MachineError("template_failed", "QEMU could not save the machine.")
    }

    private func finish(
        _ key: TemplateKey, work: String, memory: HostSystem.FileDescriptor, upper: HostSystem.FileDescriptor,
        position: UInt64
    ) throws {
        let ram = try store.open(work + "/ram", O_RDWR | O_CREAT | O_EXCL)
        let state = try store.open(work + "/state")
        let note = TemplateNote(
            key: key, wirePosition: position, memory: try SparseCopy.copy(from: memory, to: ram),
            state: try SparseCopy.copy(from: state, to: nil), upper: try SparseCopy.copy(from: upper, to: nil))
        for file in [ram, state, upper] { fsync(file.rawValue) }
        try MachineFiles.write(note, to: work + "/template.json")
        try store.publish(work, as: key)
    }

    private static func explain(_ error: any Error) -> MachineError {
        switch error {
        case let loss as GuestLoss: MachineError("boot_failed", "The machine did not boot: \(loss.description)")
        case let error as WireError: MachineError("boot_failed", "The guest sent no message of ours: \(error).")
        default: MachineError("Building a template", error)
        }
    }
}
