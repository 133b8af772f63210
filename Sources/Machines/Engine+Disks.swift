import Glibc
import MagsModel

/// Machines' own disks are promises: each may come to be full, so there is room for all of them at any time. Layers that
/// are thrown away are none: of these only what is written counts, while it is written.
extension Engine {
    /// What the machine's disk starts as, counted in `disksBeingMade`; nil when none is asked for.
    func blankDisk(of request: ClaimRequest, _ works: Works) async throws(MachineError) -> BlankDisk? {
        guard let gigabytes = request.diskGigabytes else { return nil }
        let bytes = BlankDisks.bytes(gigabytes: gigabytes)
        // Before anything waits, so that two that come together see each other.
        disksBeingMade += bytes
        let disks = machines.values.compactMap(\.diskPath)
        let beingMade = disksBeingMade
        let folder = configuration.machinesFolder
        do throws(MachineError) {
            try await blocking("Looking for room") {
                let growth = disks.reduce(0) { $0 + Engine.growth(of: $1) }
                try DiskRoom(at: folder).check(gigabytes: gigabytes, promised: beingMade + growth)
            }
            return try await works.launcher.blanks.blank(of: bytes)
        } catch {
            disksBeingMade -= bytes
            throw error
        }
    }

    /// Bytes that a sparse file may still take. Blocks.
    private static func growth(of path: String) -> UInt64 {
        var status = stat()
        guard stat(path, &status) == 0 else { return 0 }
        return UInt64(max(0, status.st_size - status.st_blocks * 512))
    }
}
