import AsyncHTTPClient
import MagsAPI
import MagsModel
import NIOCore
import NIOHTTP1
import NIOPosix

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// One attempt at one HTTP exchange, its failures told as `MagsError`.
///
/// The connections live as long as the process: one thread, no TLS before the first `https` address, HTTP/1.1 only.
struct Transport: Sendable {
    let address: ServerAddress
    let token: String?

    private static let shared: HTTPClient = {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(10), read: nil))
        configuration.httpVersion = .http1Only
        configuration.http1_1ConnectionDebugInitializer = { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(SilenceHandler(limit: .seconds(60)), position: .first)
            }
        }
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(
            eventLoopGroup: MultiThreadedEventLoopGroup(numberOfThreads: 1), configuration: configuration)
    }()

    /// A failed attempt, and whether the server may have acted on it.
    struct Failure: Error {
        var error: MagsError
        /// False only when the server cannot have accepted the request.
        var mayHaveActed: Bool
        /// How long the server asks to wait.
        var wish: Duration?

        init(error: MagsError, mayHaveActed: Bool, wish: Duration? = nil) {
            self.error = error
            self.mayHaveActed = mayHaveActed
            self.wish = wish
        }

        /// The last word of a stream.
        init(_ reply: ErrorReply) {
            error = MagsError(
                reply.code, reply.error, hint: reply.hint, isRetryable: reply.retryable, requestID: reply.requestID)
            mayHaveActed = true
        }
    }

    /// - Parameter limit: for the whole exchange with its body; nil when it may last.
    /// - Returns: a reply below 400.
    func send(
        _ method: HTTPMethod, _ path: String, headers: HTTPHeaders = [:], body: HTTPClientRequest.Body? = nil,
        within limit: TimeAmount? = .seconds(90)
    ) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: address.url(path))
        request.method = method
        request.headers = headers
        request.headers.replaceOrAdd(name: "User-Agent", value: MagsVersion.userAgent)
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        request.body = body
        let response: HTTPClientResponse
        do {
            response = try await Transport.shared.execute(
                request, deadline: limit.map { .now() + $0 } ?? .distantFuture)
        } catch {
            throw try failure(of: error)
        }
        guard response.status.code < 400 else { throw await refusal(response) }
        return response
    }

    func collect(_ response: HTTPClientResponse, upTo limit: Int) async throws -> ByteBuffer {
        do {
            return try await response.body.collect(upTo: limit)
        } catch {
            throw try failure(of: error)
        }
    }

    /// What a thrown error means.
    ///
    /// - Throws: `CancellationError` when the caller gave up.
    func failure(of error: any Error) throws -> Failure {
        if error is CancellationError { throw error }
        switch error {
        case let error as Failure: return error
        case let error as HTTPClientError where error == .cancelled: throw CancellationError()
        case let error as HTTPClientError where [.connectTimeout, .getConnectionFromPoolTimeout].contains(error):
            return Failure(error: .unreachable(address, "no connection within 10 s"), mayHaveActed: false)
        case let error as HTTPClientError where [.deadlineExceeded, .readTimeout].contains(error):
            let text = "the server at \(address) did not answer in time: the call timed out"
            return Failure(error: MagsError("timed_out", text, isRetryable: true), mayHaveActed: true)
        case is NIOTooManyBytesError:
            return Failure(error: .badReply("it is longer than any of Mags'"), mayHaveActed: true)
        case let error as NIOConnectionError:
            let causes = error.connectionErrors.map { Transport.words($0.error) }
            let cause = causes.first ?? "no address found for \(error.host)"
            return Failure(error: .unreachable(address, cause), mayHaveActed: false)
        case let error as IOError where [ECONNREFUSED, ENOENT, EACCES].contains(error.errnoCode):
            return Failure(error: .unreachable(address, Transport.words(error)), mayHaveActed: false)
        default:
            let text = "the connection to \(address) was lost: \(Transport.words(error))"
            return Failure(error: MagsError("connection_lost", text, isRetryable: true), mayHaveActed: true)
        }
    }

    private static func words(_ error: any Error) -> String {
        if let error = error as? IOError { return errorText(error.errnoCode).lowercased() }
        if let error = error as? HTTPClientError, error == .remoteConnectionClosed { return "closed by the server" }
        return "\(error)"
    }

    /// The server's own error, or words for one that is none of Mags'.
    private func refusal(_ response: HTTPClientResponse) async -> Failure {
        let status = Int(response.status.code)
        let body = try? await response.body.collect(upTo: 1 << 20)
        let bytes = body.map { Data($0.readableBytesView) } ?? Data()
        let wish = response.headers.first(name: "Retry-After").flatMap { Int($0) }.map { Duration.seconds($0) }
        let isPassing = [429, 502, 503, 504].contains(status)
        var error: MagsError
        if let reply = try? JSONDecoder().decode(ErrorReply.self, from: bytes) {
            error = MagsError(
                reply.code, reply.error, hint: reply.hint, isRetryable: reply.retryable || isPassing, status: status,
                requestID: reply.requestID)
        } else {
            let values = try? JSONDecoder().decode([String: JSONValue].self, from: bytes)
            let text = values?["error"]?.string ?? values?["message"]?.string
            error = MagsError(
                values?["code"]?.string ?? "http_\(status)",
                text ?? "the server at \(address) answered \(status) \(response.status.reasonPhrase)",
                isRetryable: isPassing, status: status)
        }
        if status == 401 {
            if error.hint == nil { error.hint = "run `mags login`" }
        }
        return Failure(error: error, mayHaveActed: status != 429 && status != 503, wish: wish)
    }
}
