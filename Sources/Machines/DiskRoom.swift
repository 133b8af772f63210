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

    /// Room for a disk that may come to be full, as may those that machines have already.
    ///
    /// - Parameter promised: bytes that all these disks, this one included, may still grow by.
    func check(gigabytes: Int, promised: UInt64) throws(MachineError) {
        let reserved = totalBytes / 100 * DiskRoom.reservedPercent
        let usable = freeBytes - min(freeBytes, reserved)
        guard promised > usable else { return }
        throw MachineError(
            "node_disk_full",
            "The server has no room for a disk of \(gigabytes) GiB: with those that machines have now it could grow by "
                + "\(promised >> 20) MiB, and \(usable >> 20) MiB may be used.",
            hint: "Ask for a smaller disk, wait until other jobs with disks have ended, or free space on the server.")
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
