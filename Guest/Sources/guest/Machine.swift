import CGuest
import GuestWire

/// Answers the host. Nothing of the user's runs before the machine is claimed, and nothing ever after a claim that
/// failed: the seed or the clock might be another machine's.
final class Machine {
    private enum Stage {
        case booted, assembled, claimed
        case refused(String)
    }

    let execs: Execs
    private let link: HostLink
    private var stage = Stage.booted
    private var root: Root?
    private var randomness: Randomness?
    /// Until the machine is claimed: it holds files of the root open.
    private var identity: Identity?

    init(link: HostLink, execs: Execs) {
        self.link = link
        self.execs = execs
    }

    func handle(_ frame: Frame) {
        do throws(WireError) {
            try dispatch(frame)
        } catch {
            guest_say("a frame of kind \(frame.kind.rawValue) is no message")
        }
    }

    private func dispatch(_ frame: Frame) throws(WireError) {
        switch frame.kind {
        case .ack: link.acknowledge(try position(in: frame))
        case .clock: _ = guest_slew_clock(try position(in: frame))
        case .ping: link.send(Frame(.pong, stream: frame.stream, payload: frame.payload))
        case .powerOff: guest_power_off()
        case .prepare: prepare(try Prepare(frame))
        case .claim: claim(try Claim(frame))
        case .rest: rest(try Rest(frame))
        case .wake: wake(try Wake(frame))
        case .file: receive(try FilePiece(frame))
        case .exec:
            if mayRun(frame.stream) {
                try execs.start(Exec(frame), stream: frame.stream)
            } else {
                refuse(frame.stream)
            }
        default: try execs.handle(frame)
        }
    }

    private func prepare(_ request: Prepare) {
        switch (request.stage, stage) {
        case (.assemble, .booted):
            answer(request.request) { () throws(Failure) in
                self.root = try Root.assemble()
                try Network.setUp()
                let randomness = try Randomness()
                self.identity = try Identity(randomness)
                self.randomness = randomness
                try execs.prepareGroups()
            } then: { finish in
                self.stage = .assembled
                self.execs.rehearse(Rehearsal(Rehearsal.reading, self.handle, then: finish))
            }
        case (.warmUp, .assembled):
            answer(request.request) { () throws(Failure) in
                try self.randomness?.reseed(request.seed)
                try self.identity?.rehearse(seed: request.seed)
                try self.root?.rehearseMove(Identity.rehearseSettling)
            } then: { finish in
                self.execs.startWaiting()
                let rehearsal = Rehearsal(Rehearsal.running, self.handle) {
                    self.execs.startWaiting()
                    finish()
                }
                self.execs.rehearse(rehearsal)
            }
        default:
            link.send(Reply(request: request.request, errno: UInt32(EINVAL), text: "not at this stage").frame())
        }
    }

    /// Runs the steps, then what goes on beside the loop; replies at its end, or at once when a step failed.
    private func answer(
        _ request: UInt32, _ steps: () throws(Failure) -> Void, then: (@escaping () -> Void) -> Void
    ) {
        do throws(Failure) {
            try steps()
            then { self.link.send(Reply(request: request).frame()) }
        } catch {
            link.send(Reply(request: request, errno: UInt32(error.errno), text: error.step).frame())
        }
    }

    private func claim(_ claim: Claim) {
        do throws(Failure) {
            guard let identity else { throw Failure(step: "the machine is no clone that waits", errno: EINVAL) }
            try identity.take(claim) { () throws(Failure) in
                try Disk.wait(forBytes: claim.diskBytes)
                try root?.moveToDisk()
                execs.rootHasMoved()
            }
            stage = .claimed
            self.identity = nil
            link.send(Claimed(nonce: claim.nonce).frame())
            link.key = claim.nonce
        } catch {
            let text = "\(error.step): errno \(error.errno)"
            stage = .refused(text)
            link.send(Claimed(nonce: claim.nonce, failure: text).frame())
        }
    }

    private func rest(_ rest: Rest) {
        answer(rest.request) { () throws(Failure) in
            try self.checkClaimed()
            try Group.hold()
            // What does not end in time ends later; it is in the memory that is saved.
            guest_sync_within(200)
        } then: {
            $0()
        }
    }

    private func wake(_ wake: Wake) {
        answer(wake.request) { () throws(Failure) in
            try self.checkClaimed()
            try self.randomness?.reseed(wake.seed)
            try Descriptors.checkError(guest_set_clock(wake.time), "set the clock")
            try Group.release()
        } then: {
            $0()
        }
    }

    private func checkClaimed() throws(Failure) {
        guard case .claimed = stage else { throw Failure(step: "the machine is not claimed", errno: EPERM) }
    }

    private func receive(_ piece: FilePiece) {
        do throws(Failure) {
            if case .booted = stage { throw Failure(step: "the root is not assembled", errno: EINVAL) }
            try Files.receive(piece)
            link.send(Reply(request: piece.request).frame())
        } catch {
            link.send(Reply(request: piece.request, errno: UInt32(error.errno), text: error.step).frame())
        }
    }

    private func mayRun(_ stream: UInt16) -> Bool {
        if stream == Rehearsal.stream { return execs.isRehearsing }
        if case .claimed = stage { return true }
        return false
    }

    private func refuse(_ stream: UInt16) {
        let reason =
            if case .refused(let text) = stage { "the claim failed: \(text)" } else { "the machine is not claimed" }
        link.send(ExecFailure(errno: UInt32(EPERM), step: reason).frame(stream: stream))
    }

    private func position(in frame: Frame) throws(WireError) -> UInt64 {
        var fields = FieldReader(frame.payload)
        let position: UInt64 = try fields.integer()
        try fields.end()
        return position
    }
}
