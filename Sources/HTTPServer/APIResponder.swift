import ControlPlane
import Hummingbird
import Logging
import MagsAPI
import MagsModel
import NIOCore
import Store

/// From a request to its answer: find the route, know the caller, do it, say what went wrong.
struct APIResponder: HTTPResponder {
    let controlPlane: ControlPlane
    let rules: Call.Rules

    func respond(to request: Request, context: CallContext) async throws -> Response {
        var response: Response
        do {
            response = try await answer(request, on: context.channel)
        } catch {
            let id = RequestID().description
            let problem = problem(for: error, id, context.logger)
            response = .problem(problem, requestID: id)
            if case .wrongMethod(let allowed) = Route.match(request.method, request.uri.path) {
                response.headers[.allow] = allowed.map(\.rawValue).joined(separator: ", ")
            }
            // What is left of a refused body is not worth reading.
            if request.headers[.contentLength].map({ $0 != "0" }) ?? request.headers.contains(.transferEncoding) {
                response.headers[.connection] = "close"
            }
        }
        response.headers[.xContentTypeOptions] = "nosniff"
        // Bytes behind a head that was asked for alone would be taken for the next answer.
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func answer(_ request: Request, on channel: any Channel) async throws -> Response {
        switch Route.match(request.method, request.uri.path) {
        case .notFound:
            throw Problem(
                404, "unknown_path", "There is nothing at \(request.uri.path.prefix(256)): not found.",
                hint: hint(for: request))
        case .wrongMethod(let allowed):
            let methods = allowed.map(\.rawValue).joined(separator: " or ")
            throw Problem(405, "wrong_method", "This path takes \(methods), not \(request.method.rawValue.prefix(32)).")
        case .planned(let route):
            _ = try await authenticate(request)
            throw Problem(
                501, "not_available_yet", "\(route.feature) is not available on this server yet.",
                hint: "GET /api/openapi.json describes what there is.")
        case .found(let route, let names):
            guard route.needsToken else { return try open(route.operation) }
            let token = try await authenticate(request)
            // One that says itself that it is too large is not waited for.
            if route.operation != .uploadFile, let length = request.headers[.contentLength].flatMap({ Int($0) }),
                length > Limits.requestBodyBytes
            {
                throw NIOTooManyBytesError(maxBytes: Limits.requestBodyBytes)
            }
            let call = Call(
                controlPlane: controlPlane, request: request, id: names["{id}"] ?? "", exec: names["{exec}"] ?? "",
                token: token, rules: rules, channel: channel)
            return try await call.carryOut(route.operation)
        }
    }

    private func hint(for request: Request) -> String {
        let path = request.uri.path
        let shorter = path.reversed().drop { $0 == "/" }.reversed()
        if path.hasSuffix("/"), case .found = Route.match(request.method, String(shorter)) {
            return "Leave out the slash at the end."
        }
        return "GET /api/openapi.json describes what there is."
    }

    /// What anybody may ask.
    private func open(_ operation: Operation) throws -> Response {
        guard operation == .document else {
            return try .json(
                HealthReply(status: controlPlane.isConnected ? "ok" : "no node", version: MagsVersion.text))
        }
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: PackageResources.openapi_json)))
    }

    private func authenticate(_ request: Request) async throws -> TokenRecord {
        let words = (request.headers[.authorization] ?? "").split(separator: " ", maxSplits: 1)
        guard words.count == 2, words[0].lowercased() == "bearer" else {
            throw Problem(
                401, "token_required", "API token required: send it as \"Authorization: Bearer TOKEN\".",
                hint: "`mags login` keeps a token; `magsd token create` on the server makes one.")
        }
        return try await controlPlane.tokens.authenticate(words[1].drop { $0 == " " })
    }

    private func problem(for error: any Error, _ id: String, _ logger: Logger) -> Problem {
        switch error {
        case let problem as Problem: return problem
        case is NIOTooManyBytesError:
            return Problem(
                413, "body_too_large", "The body is larger than \(Limits.requestBodyBytes >> 20) MiB.",
                hint: "Upload large files with POST /api/v1/mags-files.")
        default:
            logger.error("a request failed", metadata: ["request": "\(id)", "error": "\(error)"])
            return Problem(
                500, "internal_error", "The server failed at this request.",
                hint: "Its log says more under the request's id.", isRetryable: true)
        }
    }
}
