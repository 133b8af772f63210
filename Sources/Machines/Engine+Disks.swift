import Glibc
import MagsModel

/// Machines' own disks are promises: each may come to be full, so there is room for all of them at any time, and claims
/// wait in line for it. Layers that are thrown away are none: of these only what is written counts, while it is written.
extension Engine {
    /// Waits until the disk that a claim asks for has room: it is counted in `disksBeingMade` then, until the claim gives
    /// it back. Nil when none is asked for.
    /// - Throws: at once when it would not have room without all other disks either.
    func reserveDisk(_ request: ClaimRequest) async throws -> UInt64? {
        guard let gigabytes = request.diskGigabytes else { return nil }
        let bytes = BlankDisks.bytes(gigabytes: gigabytes)
        lastDiskTicket += 1
        let ticket = lastDiskTicket
        diskLine.append(ticket)
        defer {
            diskLine.removeAll { $0 == ticket }
            disksChanged()
        }
        while true {
            try Task.checkCancellation()
            guard pool.isOpen else { throw MachineError.shuttingDown }
            let round = diskRound
            if diskLine.first == ticket {
                // Counted while it is looked for, so that it stays counted when it is found.
                disksBeingMade += bytes
                do {
                    if try await hasRoom(forDiskOf: gigabytes) { return bytes }
                } catch {
                    disksBeingMade -= bytes
                    throw error
                }
                disksBeingMade -= bytes
            }
            await disksChange(since: round)
        }
    }

    func giveBack(_ disk: UInt64?) {
        guard let disk else { return }
        disksBeingMade -= disk
        disksChanged()
    }

    /// A disk is gone, or may be: whoever is first in line looks again.
    func disksChanged() {
        diskRound += 1
        let waiting = diskWaiters
        diskWaiters = [:]
        for waiter in waiting.values { waiter.resume() }
    }

    private func hasRoom(forDiskOf gigabytes: Int) async throws(MachineError) -> Bool {
        let disks = machines.values.compactMap(\.diskPath)
        let beingMade = disksBeingMade
        let folder = configuration.machinesFolder
        return try await blocking("Looking for room") {
            let sizes = disks.map(Engine.size(of:))
            let room = try DiskRoom(at: folder)
            try room.check(gigabytes: gigabytes, besides: sizes.reduce(0) { $0 + $1.taken })
            return room.holds(beingMade + sizes.reduce(0) { $0 + $1.growth })
        }
    }

    /// Bytes that a sparse file takes, and may still take. Blocks.
    private static func size(of path: String) -> (taken: UInt64, growth: UInt64) {
        var status = stat()
        guard stat(path, &status) == 0 else { return (0, 0) }
        return (UInt64(status.st_blocks * 512), UInt64(max(0, status.st_size - status.st_blocks * 512)))
    }

    private func disksChange(since round: Int) async {
        lastDiskTicket += 1
        let number = lastDiskTicket
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                guard diskRound == round, !Task.isCancelled else { return waiter.resume() }
                diskWaiters[number] = waiter
            }
        } onCancel: {
            Task { await self.disksChanged() }
        }
    }
}
