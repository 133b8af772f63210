import GuestWire

/// The same numbers in every run (SplitMix64), so that a failure can be looked at again.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}

extension Frame {
    static func arbitrary(fromGuest: Bool, using random: inout Seeded) -> Frame {
        let kinds = FrameKind.allCases.filter { $0.isFromGuest == fromGuest }
        let size = [0, 1, 5, 300, Frame.maximumPayload].randomElement(using: &random) ?? 0
        return Frame(
            kinds.randomElement(using: &random) ?? .pong, stream: .random(in: 0...UInt16.max, using: &random),
            payload: random.bytes(size))
    }
}

/// One of each message, with values at the edges of what they may hold.
enum Sample {
    static let exec = Exec(
        program: .script(Array("echo grüße\n".utf8)), scriptContinues: true,
        environment: [("A", "it's"), ("LEER", ""), ("Ü", "two\nlines 🙂")], workingDirectory: "/tmp", takesInput: true,
        stdoutCredit: .max, stderrCredit: 0, mayUseWaiting: false)
    static let program = Exec(program: .arguments(["ls", "", "-l"]))
    static let claim = Claim(
        nonce: [UInt8](1...16), seed: [UInt8](repeating: 7, count: 64), time: .max,
        machineID: "0123456789abcdef0123456789abcdef", hostName: "mags-vm", diskBytes: .max)
    static let piece = FilePiece(
        request: 3, path: "/uploads/a b", mode: 0o640, offset: 1 << 40, isLast: true, data: [0, 255], link: "/root/a b")

    static var frames: [Frame] {
        [
            exec.frame(stream: 1), program.frame(stream: 2), claim.frame(), piece.frame(),
            SignalRequest(signal: 64, reachesAll: true).frame(stream: 1),
            Prepare(request: 1, stage: .warmUp, seed: [1, 2, 3]).frame(), Hello().frame(),
            Claimed(nonce: [UInt8](1...16), failure: "set the clock: errno 1").frame(),
            Exit(code: nil, signal: 9, stdoutCount: .max, stderrCount: 0).frame(stream: 1),
            Credit(stdout: .max, stderr: 1).frame(stream: 1),
            ExecFailure(errno: 2, step: "start its program").frame(stream: 1),
            Reply(request: .max, errno: 22, text: "ä").frame(), Rest(request: 1).frame(),
            Wake(request: .max, seed: [UInt8](repeating: 9, count: 64), time: 1).frame(),
        ]
    }

    /// Reads a frame as the message that its kind says. Kinds without a message of their own are not read.
    static func read(_ frame: Frame) throws(WireError) {
        switch frame.kind {
        case .exec: _ = try Exec(frame)
        case .rest: _ = try Rest(frame)
        case .wake: _ = try Wake(frame)
        case .credit: _ = try Credit(frame)
        case .claim: _ = try Claim(frame)
        case .file: _ = try FilePiece(frame)
        case .signal: _ = try SignalRequest(frame)
        case .prepare: _ = try Prepare(frame)
        case .hello: _ = try Hello(frame)
        case .claimed: _ = try Claimed(frame)
        case .exited: _ = try Exit(frame)
        case .failed: _ = try ExecFailure(frame)
        case .reply: _ = try Reply(frame)
        default: break
        }
    }
}
