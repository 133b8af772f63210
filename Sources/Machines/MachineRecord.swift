package import HostSystem
package import MagsModel

/// All that another host process needs to go on with a machine. Holds the wire's key: keep it where only the host reads.
package struct MachineRecord: Sendable, Codable, Equatable {
    package var id: MachineID
    package var pid: Int32
    package var startTime: UInt64
    /// The host's start that the two above speak of: after the next one they may name another process. Nil in what an
    /// earlier version wrote.
    package var boot: String? = HostBoot.id
    package var slot: Int
    /// What `Resume` shows to the guest: the claim's nonce.
    package var key: [UInt8]
    package var accelerator: Accelerator
    package var image: String
    package var imageDigest: String
    package var size: MachineSize
    /// The name of the template that it is a clone of; nil in what an earlier version wrote.
    package var template: String?
    /// The machine's own disk, `disk` in its folder; nil when it has none.
    package var diskGigabytes: Int?

    /// The image as people see it: its name and the beginning of its digest.
    package var imageDescription: String { image + "@" + imageDigest.prefix(12) }
}

/// What lies in the folder of a machine, for the next host process.
struct FolderNote: Codable {
    var slot: Int

    static func path(in folder: String) -> String { folder + "/machine.json" }
}

/// A machine that is about to be claimed: enough to write down before anything of the user's is sent to it.
package struct MachineCandidate: Sendable {
    package var record: MachineRecord
    /// The count of the guest's bytes until now: an adopter that knows of nothing later goes on from here.
    package var received: UInt64

    package init(record: MachineRecord, received: UInt64) {
        self.record = record
        self.received = received
    }

    package var id: MachineID { record.id }
    package var accelerator: Accelerator { record.accelerator }
    package var imageDescription: String { record.imageDescription }
}
