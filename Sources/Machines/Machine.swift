package import GuestWire
package import HostSystem
package import MagsModel
package import NIOCore
import QMP

/// A claimed machine. It lives until `discard`, also when this process ends: another one adopts it by its record.
package final class Machine: Sendable {
    package let record: MachineRecord
    let clone: Clone
    private let onDiscard: @Sendable (MachineID) async -> Void

    init(record: MachineRecord, clone: Clone, onDiscard: @escaping @Sendable (MachineID) async -> Void) {
        self.record = record
        self.clone = clone
        self.onDiscard = onDiscard
    }

    package var id: MachineID { record.id }
    /// Nil for a machine on a layer that is thrown away.
    var diskPath: String? { record.diskGigabytes == nil ? nil : BlankDisk.path(in: clone.qemu.folder) }
    package var accelerator: Accelerator { record.accelerator }
    package var imageDescription: String { record.imageDescription }
    package var candidate: MachineCandidate { MachineCandidate(record: record, received: received) }
    package var eventLoop: any EventLoop { clone.link.eventLoop }

    /// For sockets that reach into the machine; nil without a network.
    package var networkNamespace: HostSystem.FileDescriptor? { clone.qemu.namespace }

    /// From now on every frame of the guest goes to `handler`, on the event loop and in order; what came since the claim
    /// comes first. A frame counts as processed, and is acknowledged to the guest, once `handler` has returned from the
    /// `caughtUp` behind it; before the first handler nothing is acknowledged. `lost` comes once and last, and not after `discard`: discard the machine then. A later handler takes over from
    /// an earlier one.
    package func attach(_ handler: @escaping @Sendable (GuestEvent) -> Void) { clone.link.attach(handler) }

    /// From any thread. Frames of one call go out in one write.
    package func send(_ frames: [Frame]) { clone.link.send(frames) }

    package func send(_ frame: Frame) { clone.link.send([frame]) }

    /// The count of the guest's bytes that were processed.
    package var received: UInt64 { clone.link.received }

    /// Ends QEMU and removes everything of the machine. May be called again; returns when all is gone.
    package func discard() async {
        await clone.discard()
        await onDiscard(id)
    }

    /// Lets go of the connections and leaves the machine running for whoever adopts it.
    package func leave() {
        clone.link.end(.discarded)
        clone.monitor.close()
    }
}
