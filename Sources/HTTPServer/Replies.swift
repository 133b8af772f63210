import Foundation
import Hummingbird
import MagsAPI
import MagsModel
import NIOCore

extension Response {
    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        let bytes = try JSONBytes.encode(value)
        return Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// An answer whose length nobody knows yet. Its connection ends with it.
    static func stream(
        _ contentType: String, _ write: @escaping @Sendable (inout any ResponseBodyWriter) async throws -> Void
    ) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: contentType, .cacheControl: "no-store", .connection: "close"],
            body: ResponseBody(write))
    }

    static func problem(_ problem: Problem, requestID: String) -> Response {
        let reply = ErrorReply(problem, requestID: requestID)
        var headers: HTTPFields = [.contentType: "application/json"]
        switch problem.status {
        case 401: headers[.wwwAuthenticate] = "Bearer"
        case 429, 503, 507: headers[.retryAfter] = "2"
        default: break
        }
        let bytes = (try? JSONBytes.encode(reply)) ?? []
        return Response(
            status: HTTPResponse.Status(code: problem.status), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

extension ErrorReply {
    init(_ problem: Problem, requestID: String) {
        self.init(
            error: problem.message, code: problem.code, requestID: requestID, hint: problem.hint,
            retryable: problem.isRetryable)
    }
}

enum JSONBytes {
    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return Array(try encoder.encode(value))
    }
}
