import AsyncHTTPClient
public import MagsAPI
import MagsModel
import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Commands in a running job's machine, beside its script. The server keeps their ends and output for an hour.
extension MagsClient {
    /// Starts a command. Repeated until the server has said that it did: never two commands for one call.
    public func startExec(_ request: ExecRequest, in job: String) async throws -> ExecStatus {
        let (path, body, key) = try order(request, job)
        return try await repeating(whenUnsure: true) { try await startOnce(path, body, key) }
    }

    /// As ``startExec(_:in:)``, but a cancelled call waits for the answer to what is under way, so that a command that
    /// runs is known and can be stopped; it does not try again.
    ///
    /// - Throws: `exec_unknown` when no answer came within the grace.
    package func startExec(_ request: ExecRequest, in job: String, grace: Duration) async throws -> ExecStatus {
        let (path, body, key) = try order(request, job)
        let unknown = MagsError("exec_unknown", "the server did not say in time whether it started the command")
        return try await repeating(whenUnsure: true) {
            try await awaitingAnswer(grace, orThrow: unknown) { try await startOnce(path, body, key) }
        }
    }

    public func status(ofExec exec: String, in job: String) async throws -> ExecStatus {
        try await ask(path(job, "execs/\(percentEncoded(exec))"))
    }

    /// Ends a command. One that has ended already stays as it is.
    @discardableResult
    public func stopExec(_ exec: String, in job: String) async throws -> ExecStatus {
        try await ask(path(job, "execs/\(percentEncoded(exec))/stop"), method: .POST)
    }

    /// A command's output from its first byte to its end, across lost connections and restarts of the server.
    ///
    /// - Parameter follows: else only what there is now; the closing status is that of this moment then.
    public func output(ofExec exec: String, in job: String, follows: Bool = true) -> ExecOutput {
        ExecOutput(client: self, path: path(job, "execs/\(percentEncoded(exec))/output"), follows: follows)
    }

    private func order(_ request: ExecRequest, _ job: String) throws -> (String, ByteBuffer, String) {
        (path(job, "execs"), ByteBuffer(bytes: try JSONEncoder().encode(request)), JobID.random().text)
    }

    private func startOnce(_ path: String, _ body: ByteBuffer, _ key: String) async throws -> ExecStatus {
        let response = try await transport.send(
            .POST, path, headers: ["Content-Type": "application/json", "Idempotency-Key": key], body: .bytes(body))
        return try decode(try await transport.collect(response, upTo: MagsClient.longestReply))
    }
}
