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

    private var usableBytes: UInt64 { freeBytes - min(freeBytes, totalBytes / 100 * DiskRoom.reservedPercent) }

    /// Whether disks may grow by so much.
    func holds(_ growth: UInt64) -> Bool { growth <= usableBytes }

    /// Refuses a disk that could not become full even if no machine had one now.
    ///
    /// - Parameter taken: bytes that machines' disks take now.
    func check(gigabytes: Int, besides taken: UInt64) throws(MachineError) {
        let most = usableBytes + taken
        guard BlankDisks.bytes(gigabytes: gigabytes) > most else { return }
        throw MachineError(
            "node_disk_full",
            "The server has no room for a disk of \(gigabytes) GiB: \(most >> 20) MiB of its own may be used for disks.",
            hint: "Ask for a smaller disk, or free space on the server.")
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
