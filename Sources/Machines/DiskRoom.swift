import Glibc

/// The room on the host's disk that machines' disks and layers lie on.
struct DiskRoom: Equatable {
    /// Below this share no machine is made: those that run must be able to go on.
    static let reservedPercent: UInt64 = 5

    var freeBytes: UInt64
    var totalBytes: UInt64

    init(freeBytes: UInt64, totalBytes: UInt64) {
        self.freeBytes = freeBytes
        self.totalBytes = totalBytes
    }

    /// Blocks.
    init(at folder: String) throws(MachineError) {
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { throw MachineFiles.errno("\(folder) cannot be looked at") }
        self.init(
            freeBytes: UInt64(status.f_bavail) * UInt64(status.f_frsize),
            totalBytes: UInt64(status.f_blocks) * UInt64(status.f_frsize))
    }

    func check() throws(MachineError) {
        guard freeBytes < totalBytes / 100 * DiskRoom.reservedPercent else { return }
        throw MachineError(
            "node_disk_full",
            "The server's disk is full: \(freeBytes >> 20) MiB of \(totalBytes >> 20) MiB are free, and below "
                + "\(DiskRoom.reservedPercent) % no new machine starts.",
            hint: "Free some disk space on the server, then submit the job again.")
    }
}
