package import MagsModel

/// All that is needed to go on with a machine that sleeps in its folder: `memory`, `devices`, `layer` and, if it has one,
/// `disk`.
package struct SleepingMachine: Sendable, Codable, Equatable {
    /// Of the machine as it was. Its process has ended, or ends before another takes its place.
    package var record: MachineRecord
    /// The count of the guest's bytes that were processed: it sends again what follows.
    package var received: UInt64
    /// The template that its memory differs from; no other will do.
    var template: String
    var memory: MemoryImage.Summary
    var devices: MemoryImage.Summary
    /// Seconds since 1970.
    package var since: Int64

    static func memoryPath(in folder: String) -> String { folder + "/memory" }
    /// There from before the guest holds anything until the machine stands again.
    static func markPath(in folder: String) -> String { folder + "/lying" }
    static func devicesPath(in folder: String) -> String { folder + "/devices" }

    package var id: MachineID { record.id }
    /// Bytes that sleeping takes on the host's disk, disks not counted.
    package var bytes: UInt64 { memory.bytes + devices.bytes }
}
