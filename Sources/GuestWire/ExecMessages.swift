/// Starts a process; the frame's stream is the number by which everything about it goes, never used twice.
public struct Exec: WireMessage {
    public static let kind = FrameKind.exec

    public enum Program: Equatable, Sendable {
        /// A script as a user writes it: `#!` chooses the interpreter, else bash, else `/bin/sh`. Bytes that do not fit
        /// into the frame follow as `script` frames.
        case script([UInt8])
        /// A program and its arguments, started afresh.
        case arguments([String])
    }

    public var program: Program
    /// More of the script follows in `script` frames up to a `scriptEnd`.
    public var scriptContinues: Bool
    public var environment: [(String, String)]
    public var workingDirectory: String
    /// False: standard input is at its end at once.
    public var takesInput: Bool
    /// The positions that its output may reach before the first `Credit`.
    public var stdoutCredit: UInt32
    public var stderrCredit: UInt32
    /// False: never use a waiting interpreter (the fresh start that tests compare with).
    public var mayUseWaiting: Bool

    public init(
        program: Program, scriptContinues: Bool = false, environment: [(String, String)] = [],
        workingDirectory: String = "/root", takesInput: Bool = false, stdoutCredit: UInt32 = Credit.window,
        stderrCredit: UInt32 = Credit.window, mayUseWaiting: Bool = true
    ) {
        self.program = program
        self.scriptContinues = scriptContinues
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.takesInput = takesInput
        self.stdoutCredit = stdoutCredit
        self.stderrCredit = stderrCredit
        self.mayUseWaiting = mayUseWaiting
    }

    public func write(_ fields: inout FieldWriter) {
        switch program {
        case .script(let bytes):
            fields.integer(UInt8(0))
            fields.data(bytes)
        case .arguments(let arguments):
            fields.integer(UInt8(1))
            fields.integer(UInt32(arguments.count))
            for argument in arguments { fields.text(argument) }
        }
        fields.flag(scriptContinues)
        fields.pairs(environment)
        fields.text(workingDirectory)
        fields.flag(takesInput)
        fields.integer(stdoutCredit)
        fields.integer(stderrCredit)
        fields.flag(mayUseWaiting)
    }

    public static func read(_ fields: inout FieldReader) throws(WireError) -> Exec {
        let program: Program
        switch try fields.integer(UInt8.self) {
        case 0: program = .script(try fields.data())
        case 1:
            let count = Int(try fields.integer(UInt32.self))
            guard count > 0, count <= fields.remaining / 4 else { throw .badValue }
            var arguments: [String] = []
            for _ in 0..<count { arguments.append(try fields.text()) }
            program = .arguments(arguments)
        default: throw .badValue
        }
        return Exec(
            program: program, scriptContinues: try fields.flag(), environment: try fields.pairs(),
            workingDirectory: try fields.text(), takesInput: try fields.flag(), stdoutCredit: try fields.integer(),
            stderrCredit: try fields.integer(), mayUseWaiting: try fields.flag())
    }
}

/// How far the output of an exec may reach, each stream counted from its first byte. Since these are positions and not
/// amounts, a host that takes over can say them again, and nothing is lost or granted twice. A position behind an earlier
/// one changes nothing.
public struct Credit: WireMessage, Equatable {
    public static let kind = FrameKind.credit
    /// How far ahead of what the host has kept a stream may be: what an `Exec` grants at its start, if it says nothing.
    public static let window: UInt32 = 256 * 1024

    public var stdout: UInt64
    public var stderr: UInt64

    public init(stdout: UInt64, stderr: UInt64) {
        self.stdout = stdout
        self.stderr = stderr
    }
    public func write(_ fields: inout FieldWriter) {
        fields.integer(stdout)
        fields.integer(stderr)
    }
    public static func read(_ fields: inout FieldReader) throws(WireError) -> Credit {
        Credit(stdout: try fields.integer(), stderr: try fields.integer())
    }
}

/// How a process ended, and how many bytes of each stream were sent before.
public struct Exit: WireMessage, Equatable {
    public static let kind = FrameKind.exited
    /// 0...255, or nil when a signal ended it.
    public var code: UInt8?
    /// The signal, or 0.
    public var signal: UInt8
    public var stdoutCount: UInt64
    public var stderrCount: UInt64

    public init(code: UInt8?, signal: UInt8 = 0, stdoutCount: UInt64, stderrCount: UInt64) {
        self.code = code
        self.signal = signal
        self.stdoutCount = stdoutCount
        self.stderrCount = stderrCount
    }

    public func write(_ fields: inout FieldWriter) {
        fields.flag(code != nil)
        fields.integer(code ?? 0)
        fields.integer(signal)
        fields.integer(stdoutCount)
        fields.integer(stderrCount)
    }

    public static func read(_ fields: inout FieldReader) throws(WireError) -> Exit {
        let hasCode = try fields.flag()
        let code: UInt8 = try fields.integer()
        return Exit(
            code: hasCode ? code : nil, signal: try fields.integer(), stdoutCount: try fields.integer(),
            stderrCount: try fields.integer())
    }
}

/// The process never ran: which step failed, with its errno.
public struct ExecFailure: WireMessage, Equatable {
    public static let kind = FrameKind.failed
    public var errno: UInt32
    public var step: String
    public init(errno: UInt32, step: String) {
        self.errno = errno
        self.step = step
    }
    public func write(_ fields: inout FieldWriter) {
        fields.integer(errno)
        fields.text(step)
    }
    public static func read(_ fields: inout FieldReader) throws(WireError) -> ExecFailure {
        ExecFailure(errno: try fields.integer(), step: try fields.text())
    }
}

/// A signal for an exec: its process group, or everything that it ever started and that still lives.
public struct SignalRequest: WireMessage, Equatable {
    public static let kind = FrameKind.signal
    public var signal: UInt8
    public var reachesAll: Bool
    public init(signal: UInt8, reachesAll: Bool) {
        self.signal = signal
        self.reachesAll = reachesAll
    }
    public func write(_ fields: inout FieldWriter) {
        fields.integer(signal)
        fields.flag(reachesAll)
    }
    public static func read(_ fields: inout FieldReader) throws(WireError) -> SignalRequest {
        let message = SignalRequest(signal: try fields.integer(), reachesAll: try fields.flag())
        guard (1...64).contains(message.signal) else { throw .badValue }
        return message
    }
}
