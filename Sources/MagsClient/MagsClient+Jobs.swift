import AsyncHTTPClient
public import MagsAPI
import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A job is named by its `request_id`, its name or its workspace's name; the server resolves it.
extension MagsClient {
    /// Hands a job in. Repeated only when the server cannot have accepted it: never two jobs for one call.
    public func submit(_ request: SubmitRequest) async throws -> SubmitReply {
        let body = ByteBuffer(bytes: try JSONEncoder().encode(request))
        return try await repeating(whenUnsure: false) { try await submitOnce(body) }
    }

    /// As ``submit(_:)``, but a cancelled call waits for the answer to what is under way, so that a job that was taken
    /// is known and can be stopped; it does not try again.
    ///
    /// - Throws: `submission_unknown` when no answer came within the grace.
    package func submit(_ request: SubmitRequest, grace: Duration) async throws -> SubmitReply {
        let body = ByteBuffer(bytes: try JSONEncoder().encode(request))
        return try await repeating(whenUnsure: false) {
            let unknown = MagsError(
                "submission_unknown", "the server did not say in time whether it took the job",
                hint: "`mags list` shows it if it did")
            return try await awaitingAnswer(grace, orThrow: unknown) { try await submitOnce(body) }
        }
    }

    private func submitOnce(_ body: ByteBuffer) async throws -> SubmitReply {
        let response = try await transport.send(
            .POST, "/api/v1/mags-jobs", headers: ["Content-Type": "application/json"], body: .bytes(body))
        return try decode(try await transport.collect(response, upTo: MagsClient.longestReply))
    }

    public func status(of job: String) async throws -> JobStatus { try await ask(path(job, "status")) }

    /// The whole log in memory, which may be several times 64 MiB; ``entries(of:after:)`` reads it piece by piece.
    ///
    /// - Parameter after: only entries behind this `seq`.
    public func logs(of job: String, after: Int = 0) async throws -> LogReply {
        var reply = LogReply(logs: [])
        for try await event in entries(of: job, after: after) {
            if case .entry(let entry) = event { reply.logs.append(entry) }
        }
        return reply
    }

    /// - Parameter page: counts from 1, newest jobs first.
    public func jobs(
        page: Int = 1, pageSize: Int = 20, status: String? = nil, workspaceID: String? = nil, name: String? = nil
    ) async throws -> JobList {
        var query = "?page=\(page)&page_size=\(pageSize)"
        for (key, value) in [("status", status), ("workspace_id", workspaceID), ("name", name)] {
            if let value { query += "&\(key)=\(percentEncoded(value))" }
        }
        return try await ask("/api/v1/mags-jobs" + query)
    }

    /// Ends the job and its machine. A job that has ended already stays as it is.
    @discardableResult
    public func stop(_ job: String) async throws -> StopReply { try await ask(path(job, "stop"), method: .POST) }

    /// A job's output from its first byte to its end, across lost connections and restarts of the server.
    ///
    /// - Parameter follows: else only what there is now; the closing status is that of this moment then.
    public func output(of job: String, follows: Bool = true) -> JobOutput {
        JobOutput(client: self, path: path(job, "output"), follows: follows)
    }

    /// The log entries that there are now behind this `seq`, across lost connections.
    public func entries(of job: String, after: Int = 0) -> JobLog {
        JobLog(client: self, job: job, after: after, follows: false)
    }

    /// A job's log entries behind this `seq`, to the job's end, across lost connections and restarts of the server.
    public func log(of job: String, after: Int = 0) -> JobLog {
        JobLog(client: self, job: job, after: after, follows: true)
    }

    func path(_ job: String, _ what: String) -> String { "/api/v1/mags-jobs/\(percentEncoded(job))/\(what)" }
}
