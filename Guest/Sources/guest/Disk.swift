import CGuest

/// The device that a claim's disk appears as. Before the claim a small one is there to rehearse with.
enum Disk {
    static let path = "/dev/vdc"
    /// In sectors of 512 bytes.
    private static let sizeFile = "/sys/block/vdc/size"

    /// The kernel learns of another disk from an interrupt, a moment after the host has put it in.
    static func wait(forBytes size: UInt64) throws(Failure) {
        try wait("find a disk of its size") { sectors() == size / 512 ? 0 : ENODEV }
    }

    /// What a process had mounted is let go of a moment after its end.
    static func waitUntilUnused() throws(Failure) {
        try wait("let go of the rehearsal's disk") { guest_probe_unused(path) }
    }

    private static func wait(_ step: String, _ attempt: () -> Int32) throws(Failure) {
        var errno = attempt()
        for _ in 0..<20_000 where errno != 0 {
            guest_doze()
            errno = attempt()
        }
        try Descriptors.checkError(errno, step)
    }

    private static func sectors() -> UInt64 {
        Descriptors.readStart(sizeFile, limit: 32).prefix { (48...57).contains($0) }
            .reduce(0) { $0 &* 10 &+ UInt64($1 - 48) }
    }
}
