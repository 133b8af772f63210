import Glibc
import GuestWire
import HostSystem
import MagsModel
import NIOCore
import QMP
import Synchronization

/// A clone of a template: a QEMU, its monitor and the wire to its guest. Nobody's machine before `claim`.
final class Clone: Sendable {
    let qemu: QEMUProcess
    let monitor: QMPClient
    let link: GuestLink
    let kind: MachineKind
    let accelerator: Accelerator
    let imageDigest: String
    /// The template's name; nil for a machine that an earlier version made.
    let template: String?
    private let warm = Atomic(false)

    /// Warmed up and stopped.
    var isWarm: Bool { warm.load(ordering: .acquiring) }

    init(
        qemu: QEMUProcess, monitor: QMPClient, link: GuestLink, kind: MachineKind, accelerator: Accelerator,
        imageDigest: String, template: String?
    ) {
        self.qemu = qemu
        self.monitor = monitor
        self.link = link
        self.kind = kind
        self.accelerator = accelerator
        self.imageDigest = imageDigest
        self.template = template
    }

    /// A running clone whose guest has answered.
    ///
    /// - Parameter nice: 19 for one that is made ahead of demand.
    static func restore(
        _ template: Template, by launcher: QEMULauncher, on eventLoop: any EventLoop, nice: Int32,
        _ signposts: inout Signposts
    ) async throws(MachineError) -> Clone {
        let order = QEMULauncher.Order(
            accelerator: template.key.accelerator, size: template.kind.size,
            start: .restore(state: try template.openState()), memory: template.memory, root: template.root,
            upper: template.upper, nice: nice)
        let qemu = try await launcher.launch(order)
        signposts.passed("start")
        do {
            let monitor = try await qemu.connectMonitor(on: eventLoop)
            let link = try await qemu.connectWire(
                on: eventLoop, key: Resume.unclaimedKey, received: template.wirePosition)
            let clone = Clone(
                qemu: qemu, monitor: monitor, link: link, kind: template.kind, accelerator: template.key.accelerator,
                imageDigest: template.key.imageDigest, template: template.key.name)
            // All in one write; `cont` during the load starts the machine at its end.
            try await clone.monitor([
                .migrationCapabilities("x-ignore-shared"),
                .migrateIncoming(descriptor: Int(QEMUCommand.Number.state.rawValue)), .continueRunning,
            ])
            signposts.passed("load")
            try await clone.wire { link throws(GuestLoss) in try await link.waitUntilResumed(within: .seconds(30)) }
            signposts.passed("guest")
            return clone
        } catch {
            let told = qemu.explained(error)
            await qemu.discard()
            throw told
        }
    }

    /// Takes over a claimed machine that an earlier host process left running.
    static func adopt(
        _ record: MachineRecord, received: UInt64, qemu: QEMUProcess, on eventLoop: any EventLoop
    ) async throws(MachineError) -> Clone {
        let monitor = try await qemu.connectMonitor(on: eventLoop)
        let link = try await qemu.connectWire(on: eventLoop, key: record.key, received: received)
        let clone = Clone(
            qemu: qemu, monitor: monitor, link: link, kind: MachineKind(image: record.image, size: record.size),
            accelerator: record.accelerator, imageDigest: record.imageDigest, template: record.template)
        // All machines of a server may do this at the same time.
        try await clone.monitor([.queryStatus], within: .seconds(10))
        // One that was about to sleep is stopped, or its programs are held: neither is to be seen from here.
        let mark = SleepingMachine.markPath(in: qemu.folder)
        let wasLying = try await blocking("Adopting a machine") { MachineFiles.exists(mark) }
        if wasLying { try await clone.monitor([.continueRunning], within: .seconds(10)) }
        try await clone.wire { link throws(GuestLoss) in try await link.waitUntilResumed(within: .seconds(20)) }
        if wasLying {
            try await clone.wake()
            await clone.forgetSaved()
        }
        return clone
    }

    /// Rehearses what a claim will do, starts the interpreters that wait, and stops the machine.
    func warmUp() async throws(MachineError) {
        let prepare = Prepare(request: 1, stage: .warmUp, seed: randomBytes(64))
        let frame = try await wire { link throws(GuestLoss) in
            try await link.ask([prepare.frame()], within: .seconds(120))
        }
        guard let reply = try? Reply(frame), reply.request == 1 else {
            throw MachineError("guest_failed", "The guest answered the warm-up with something else.")
        }
        guard reply.errno == 0 else {
            throw MachineError("guest_failed", "The warm-up failed at \(reply.text) (errno \(reply.errno)).")
        }
        try await monitor([.stop])
        warm.store(true, ordering: .releasing)
    }

    func discard() async {
        link.end(.discarded)
        monitor.close()
        await qemu.discard()
    }

    func monitor(
        _ commands: [QMPCommand], within limit: TimeAmount = .seconds(30)
    ) async throws(MachineError) {
        do {
            try await monitor.run(commands, within: limit)
        } catch {
            throw qemu.explained(MachineError("Talking to QEMU", error))
        }
    }

    func wire<T>(
        _ body: (GuestLink) async throws(GuestLoss) -> T
    ) async throws(MachineError) -> T {
        do {
            return try await body(link)
        } catch {
            throw qemu.explained(MachineError("guest_lost", error.description))
        }
    }
}
