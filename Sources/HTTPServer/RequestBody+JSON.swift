import ControlPlane
import Foundation
import Hummingbird
import MagsAPI
import MagsModel
import NIOCore

/// A body whose fields are all known: what the server would ignore it refuses.
private struct Strict<Body: Decodable & Sendable, Keys: CodingKey & CaseIterable & Sendable>: Decodable, Sendable {
    struct Unknown: Error {
        let field: String
    }

    private struct AnyKey: CodingKey {
        let stringValue: String
        let intValue: Int? = nil
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    let body: Body

    init(from decoder: any Decoder) throws {
        let known = Set(Keys.allCases.map(\.stringValue))
        let fields = try decoder.container(keyedBy: AnyKey.self).allKeys
        if let unknown = fields.first(where: { !known.contains($0.stringValue) }) {
            throw Unknown(field: unknown.stringValue)
        }
        body = try Body(from: decoder)
    }
}

extension RequestBody {
    /// The whole body as JSON, made into a value. An empty one counts as `{}` where nothing is required.
    func json<Body: Decodable & Sendable, Keys: CodingKey & CaseIterable & Sendable, Value: Sendable>(
        _ type: Body.Type, fields: Keys.Type, mayBeEmpty: Bool = false, within budget: BodyBudget,
        _ share: inout BodyBudget.Share, _ make: @escaping @Sendable (Body) throws -> Value
    ) async throws -> Value {
        var bytes = ByteBuffer()
        for try await piece in self {
            guard bytes.readableBytes + piece.readableBytes <= Limits.requestBodyBytes else {
                throw NIOTooManyBytesError(maxBytes: Limits.requestBodyBytes)
            }
            try share.grow(by: piece.readableBytes)
            bytes.writeImmutableBuffer(piece)
        }
        if bytes.readableBytes == 0, mayBeEmpty { bytes = ByteBuffer(string: "{}") }
        guard bytes.readableBytes > 0 else {
            throw Problem(400, "invalid_json", "The request has no body; it must be a JSON object.")
        }
        return try await budget.decode(bytes) { try make(RequestBody.decoded($0, type, fields)) }
    }

    private static func decoded<Body: Decodable & Sendable, Keys: CodingKey & CaseIterable & Sendable>(
        _ bytes: ByteBuffer, _ type: Body.Type, _ fields: Keys.Type
    ) throws -> Body {
        do {
            return try JSONDecoder().decode(Strict<Body, Keys>.self, from: Data(bytes.readableBytesView)).body
        } catch let unknown as Strict<Body, Keys>.Unknown {
            let nearest = Nearest.name(to: unknown.field, of: Keys.allCases.map(\.stringValue))
            throw Problem(
                400, "unknown_field", "\(unknown.field.prefix(64)) is not a field that this server knows.",
                hint: nearest.map { "Did you mean \($0)?" })
        } catch let error as DecodingError {
            throw Problem.misfit(bytes) ?? Problem(error)
        }
    }
}

extension Problem {
    /// A number that is no whole one or beyond all bounds: the decoder calls such a body no JSON at all.
    fileprivate static func misfit(_ bytes: ByteBuffer) -> Problem? {
        let value = try? JSONSerialization.jsonObject(with: Data(bytes.readableBytesView))
        guard let fields = value as? [String: Any] else { return nil }
        let misfit = fields.first { _, value in
            guard let number = value as? Double else { return false }
            return number != number.rounded() || number.magnitude >= 0x1p63
        }
        return misfit.map { .invalid(String($0.key.prefix(64)), "must be a whole number.") }
    }

    /// Names the field, and never shows its value.
    fileprivate init(_ error: DecodingError) {
        switch error {
        case .keyNotFound(let key, _):
            self.init(400, "missing_field", "\(key.stringValue) is required.")
        case .typeMismatch(let type, let context):
            self = Problem.wrongType(context.codingPath, type)
        case .valueNotFound(let type, let context):
            self = Problem.wrongType(context.codingPath, type)
        case .dataCorrupted(let context) where !context.codingPath.isEmpty:
            self = .invalid(Problem.field(context.codingPath), "does not fit: it is out of range or not whole.")
        default:
            self.init(400, "invalid_json", "The body is not JSON in UTF-8.")
        }
    }

    private static func wrongType(_ path: [any CodingKey], _ type: Any.Type) -> Problem {
        guard !path.isEmpty else { return Problem(400, "invalid_json", "The body must be a JSON object.") }
        let expected =
            switch type {
            case is String.Type: "a string"
            case is Bool.Type: "true or false"
            case is Int.Type: "a whole number"
            case is [String].Type, is [Any].Type: "an array of strings"
            default: "an object of strings"
            }
        return .invalid(field(path), "must be \(expected).")
    }

    private static func field(_ path: [any CodingKey]) -> String {
        String(path.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".").prefix(128))
    }
}
