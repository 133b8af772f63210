import MagsAPI
import MagsModel
import Store

extension JobStatus {
    /// A stored job as the API shows it.
    init(_ job: JobRecord) {
        let outcome = job.end?.outcome
        self.init(
            requestID: job.id.text, name: job.name, status: job.state.rawValue, scriptStatus: job.state.rawValue,
            vmStatus: job.machine.map { _ in job.state.isFinal ? "stopped" : "running" },
            vmID: job.machine?.id.text, workspaceID: job.workspaceID, subdomain: job.id.subdomain,
            exitCode: outcome?.cause == .timedOut ? outcome?.exitCode ?? 124 : outcome?.exitCode,
            scriptDurationMS: job.machine == nil ? nil : outcome?.durationMilliseconds,
            createdAt: Timestamp.text(job.createdAt), startedAt: job.machine.map { Timestamp.text($0.startedAt) },
            finishedAt: job.end.map { Timestamp.text($0.finishedAt) }, error: JobStatus.error(job),
            errorCode: JobStatus.errorCode(outcome), accelerator: job.machine?.accelerator,
            image: job.machine?.image, timeout: job.timeoutSeconds, vcpus: job.processors,
            memoryMB: job.memoryMebibytes, diskGB: job.diskGigabytes)
    }

    private static func error(_ job: JobRecord) -> String? {
        guard let outcome = job.end?.outcome else { return nil }
        return switch outcome.cause {
        case .timedOut:
            ["The script timed out after \(job.timeoutSeconds) s.", outcome.message].compactMap(\.self)
                .joined(separator: " ")
        case .failed: outcome.message ?? "The job failed."
        // How it ended says the state; what is left to say is that output is missing.
        case .exited, .stopped: outcome.message
        }
    }

    private static func errorCode(_ outcome: JobOutcome?) -> String? {
        switch outcome?.cause {
        case .timedOut: "timed_out"
        case .failed: outcome?.code ?? "job_failed"
        case .exited, .stopped: outcome?.code
        case nil: nil
        }
    }
}
