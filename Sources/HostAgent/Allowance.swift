import GuestWire
import Machines

/// How far the two streams of a guest may reach: positions that it was told, and that it must keep to.
struct Allowance: Equatable, Sendable {
    /// Less than this is not worth a message.
    private static let batch: UInt64 = 64 * 1024
    private static let window = UInt64(Credit.window)

    private(set) var credit: Credit

    /// A window ahead of what is kept on disk, which is never less than an earlier host agent granted: it granted no more
    /// than a window ahead of what was kept then.
    init(keeping progress: SpoolProgress) {
        credit = Credit(
            stdout: progress.stdoutCount + Allowance.window, stderr: progress.stderrCount + Allowance.window)
    }

    func check(_ stream: JobOutput.Stream, upTo position: UInt64) throws(GuestLoss) {
        switch stream {
        case .stdout where position > credit.stdout: throw .nonsense("it sent more standard output than it was allowed")
        case .stderr where position > credit.stderr: throw .nonsense("it sent more standard error than it was allowed")
        default: return
        }
    }

    /// A window ahead of what is kept now.
    /// - Returns: false when that is hardly more than before, and nothing changes.
    mutating func extend(keeping progress: SpoolProgress) -> Bool {
        let next = Allowance(keeping: progress).credit
        guard next.stdout - credit.stdout + (next.stderr - credit.stderr) >= Allowance.batch else { return false }
        credit = next
        return true
    }
}
