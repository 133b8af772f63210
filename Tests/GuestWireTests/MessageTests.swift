import GuestWire
import Testing

@Suite("A message of the guest wire")
struct MessageTests {
    @Test("comes back from its frame as it was")
    func roundTrips() throws {
        #expect(try Claim(Sample.claim.frame()) == Sample.claim)
        #expect(try FilePiece(Sample.piece.frame()) == Sample.piece)
        let exit = Exit(code: 255, stdoutCount: 1, stderrCount: 2)
        #expect(try Exit(exit.frame(stream: 9)) == exit)
        let killed = Exit(code: nil, signal: 9, stdoutCount: .max, stderrCount: 0)
        #expect(try Exit(killed.frame()) == killed)
        let failure = ExecFailure(errno: 2, step: "start its program")
        #expect(try ExecFailure(failure.frame()) == failure)
        let signal = SignalRequest(signal: 15, reachesAll: false)
        #expect(try SignalRequest(signal.frame()) == signal)
        let claimed = Claimed(nonce: [1, 2], failure: "set the clock: errno 1")
        #expect(try Claimed(claimed.frame()) == claimed)
        let reply = Reply(request: .max, errno: 22, text: "ä")
        #expect(try Reply(reply.frame()) == reply)
        for stage in [Prepare.Stage.assemble, .warmUp] {
            let prepare = Prepare(request: 7, stage: stage, seed: [1])
            #expect(try Prepare(prepare.frame()) == prepare)
        }
        #expect(try Hello(Hello().frame()).version == Hello.currentVersion)
    }

    @Test("an exec keeps every field", arguments: [Sample.exec, Sample.program])
    func exec(_ exec: Exec) throws {
        let read = try Exec(exec.frame(stream: 3))
        #expect(read.program == exec.program)
        #expect(read.scriptContinues == exec.scriptContinues)
        #expect(read.environment.map(\.0) == exec.environment.map(\.0))
        #expect(read.environment.map(\.1) == exec.environment.map(\.1))
        #expect(read.workingDirectory == exec.workingDirectory)
        #expect(read.takesInput == exec.takesInput)
        #expect(read.stdoutCredit == exec.stdoutCredit)
        #expect(read.stderrCredit == exec.stderrCredit)
        #expect(read.mayUseWaiting == exec.mayUseWaiting)
    }

    @Test("is refused when it ends too early or too late", arguments: Sample.frames)
    func lengths(_ frame: Frame) {
        for count in 0..<frame.payload.count {
            let short = Frame(frame.kind, payload: Array(frame.payload[..<count]))
            #expect(throws: WireError.self, "cut to \(count)") { try Sample.read(short) }
        }
        let long = Frame(frame.kind, payload: frame.payload + [0])
        #expect(throws: WireError.trailingBytes) { try Sample.read(long) }
    }

    @Test("is refused with values that it cannot have")
    func badValues() {
        for signal: UInt8 in [0, 65, 255] {
            let frame = SignalRequest(signal: signal, reachesAll: true).frame()
            #expect(throws: WireError.badValue) { try SignalRequest(frame) }
        }
        var short = Sample.claim
        short.seed = [1]
        #expect(throws: WireError.badValue) { try Claim(short.frame()) }
        #expect(throws: WireError.badValue) { try Exec(Exec(program: .arguments([])).frame()) }
        #expect(throws: WireError.badValue) { try Hello(Frame(.pong)) }
        var fields = FieldReader([2])
        #expect(throws: WireError.badValue) { try fields.flag() }
        var text = FieldReader([2, 0, 0, 0, 0xC3, 0x28])
        #expect(throws: WireError.badText) { try text.text() }
    }

    @Test("a length or a count that lies takes no memory")
    func hostileLengths() {
        for lie: [UInt8] in [[255, 255, 255, 255], [255, 255, 255, 127], [5, 0, 0, 0]] {
            var data = FieldReader(lie + [1, 2])
            #expect(throws: WireError.truncated) { try data.data() }
            var pairs = FieldReader(lie + [1, 2])
            #expect(throws: WireError.truncated) { try pairs.pairs() }
        }
        let manyArguments = Frame(.exec, payload: [1, 255, 255, 255, 255, 0, 0, 0, 0])
        #expect(throws: WireError.badValue) { try Exec(manyArguments) }
    }
}
