import Glibc
import GuestWire
import HostSystem
import MagsModel
import NIOCore
import QMP

extension Clone {
    /// What the clone would be as a machine, with a new key.
    func candidate(diskGigabytes: Int?) -> MachineCandidate {
        MachineCandidate(
            record: MachineRecord(
                id: MachineID(qemu.name), pid: qemu.process.pid, startTime: qemu.process.startTime,
                slot: qemu.slot, key: randomBytes(16), accelerator: accelerator, image: kind.image,
                imageDigest: imageDigest, size: kind.size, template: template, diskGigabytes: diskGigabytes),
            received: link.received)
    }

    /// How long a claimed guest may take to answer. Silence costs the job, so it has to mean more than a busy host.
    private static let answerLimit = TimeAmount.seconds(30)

    /// Makes the clone the candidate's machine: `cont`, the claim and the first frames go out together. The guest runs
    /// nothing of them unless every step of the claim succeeded: after `claim_refused` it has run nothing, after any
    /// other error nobody knows.
    ///
    /// - Parameter disk: the machine's own, of the size that the candidate says.
    func claim(
        _ candidate: MachineCandidate, isStopped: Bool, disk: BlankDisk?, firstFrames: [Frame]
    ) async throws(MachineError) {
        if let disk { try await take(disk) }
        let nonce = candidate.record.key
        let claim = Claim(
            nonce: nonce, seed: randomBytes(64), time: Clone.wallClock(),
            machineID: Clone.hexadecimal(randomBytes(16)), hostName: "mags-vm",
            diskBytes: disk?.bytes ?? 0)
        let answer = link.eventLoop.makePromise(of: Frame.self)
        let frames = [claim.frame()] + firstFrames
        link.eventLoop.execute { [monitor, link] in
            // A refused `cont` shows as a guest that does not answer.
            if isStopped { monitor.send([.continueRunning]) }
            link.ask(frames, within: Clone.answerLimit, answer)
        }
        let claimed: Claimed
        do {
            claimed = try Claimed(try await GuestLink.value(answer))
        } catch let loss as GuestLoss {
            throw qemu.explained(Clone.lost("it was given away: \(loss.description)"))
        } catch {
            throw Clone.lost("it was given away: it answered with something else (\(error)).")
        }
        guard claimed.nonce == nonce else { throw Clone.lost("it was given away: it answered another claim.") }
        guard claimed.failure.isEmpty else {
            throw MachineError("claim_refused", "A clone could not be claimed: \(claimed.failure).")
        }
    }

    /// Nothing has been sent to the guest when this fails.
    private func take(_ disk: BlankDisk) async throws(MachineError) {
        let folder = qemu.folder
        let file = try await blocking("Making a disk") { try disk.copy(in: folder, isNamed: true) }
        do {
            try await monitor.run(QEMUCommand.diskCommands(bytes: disk.bytes), passing: file.rawValue)
        } catch {
            throw MachineError("claim_refused", "A clone did not take its disk: \(error).")
        }
    }

    private static func lost(_ what: String) -> MachineError {
        MachineError(
            "machine_lost", "The machine was lost just as \(what)",
            hint:
                "The script may have begun, so it is not started again by itself. Submit it again if that does no harm."
        )
    }

    static func wallClock() -> UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
