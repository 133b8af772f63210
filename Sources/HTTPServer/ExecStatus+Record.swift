import MagsAPI
import MagsModel
import Store

extension ExecStatus {
    /// A stored exec as the API shows it.
    init(_ exec: ExecRecord, isUnsure: Bool = false) {
        let outcome = exec.end?.outcome
        let hasRun = exec.startedAt != nil || outcome?.exitCode != nil || outcome?.cause == .timedOut
        self.init(
            execID: exec.id.text, requestID: exec.job.text, status: exec.state.rawValue,
            outcome: isUnsure ? "unknown" : outcome.map { _ in hasRun ? "ran" : "never_ran" },
            exitCode: outcome?.cause == .timedOut ? 124 : outcome?.exitCode, timedOut: outcome?.cause == .timedOut,
            durationMS: hasRun ? outcome?.durationMilliseconds : nil, createdAt: Timestamp.text(exec.createdAt),
            startedAt: exec.startedAt.map { Timestamp.text($0) },
            finishedAt: exec.end.map { Timestamp.text($0.finishedAt) }, error: ExecStatus.error(exec),
            errorCode: ExecStatus.errorCode(outcome), timeout: exec.timeoutSeconds)
    }

    private static func error(_ exec: ExecRecord) -> String? {
        switch exec.end?.outcome.cause {
        case .timedOut: "The command timed out after \(exec.timeoutSeconds) s."
        case .failed: exec.end?.outcome.message ?? "The command failed."
        case .stopped: "The command was stopped."
        case .exited, nil: nil
        }
    }

    private static func errorCode(_ outcome: JobOutcome?) -> String? {
        switch outcome?.cause {
        case .timedOut: "timed_out"
        case .failed: outcome?.code ?? "exec_failed"
        case .stopped: "stopped"
        case .exited, nil: nil
        }
    }
}
