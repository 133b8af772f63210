import Foundation

/// A JSON value whose kind is known for sure.
indirect enum JSON: Sendable, Decodable, Equatable {
    case null
    case boolean(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    case array([JSON])
    case object([String: JSON])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let boolean = try? value.decode(Bool.self) {
            self = .boolean(boolean)
        } else if let integer = try? value.decode(Int.self) {
            self = .integer(integer)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let array = try? value.decode([JSON].self) {
            self = .array(array)
        } else {
            self = .object(try value.decode([String: JSON].self))
        }
    }

    init(_ bytes: [UInt8]) throws { self = try JSONDecoder().decode(JSON.self, from: Data(bytes)) }

    /// The value behind these keys.
    subscript(_ path: String...) -> JSON? {
        path.reduce(JSON?.some(self)) { value, key in
            guard case .object(let fields) = value else { return nil }
            return fields[key]
        }
    }

    var fields: [String: JSON] { if case .object(let fields) = self { fields } else { [:] } }
    var texts: [String] {
        guard case .array(let values) = self else { return [] }
        return values.compactMap { if case .text(let text) = $0 { text } else { nil } }
    }
}

/// As much of JSON Schema as the document uses.
struct SchemaCheck {
    let schemas: JSON

    func faults(_ value: JSON, _ schema: JSON, at place: String) -> [String] {
        if case .text(let reference) = schema["$ref"] {
            let name = reference.split(separator: "/").last.map(String.init) ?? ""
            guard let target = schemas[name] else { return ["\(place): no schema \(name)"] }
            return faults(value, target, at: place)
        }
        if value == .null { return schema["nullable"] == .boolean(true) ? [] : ["\(place): null"] }
        if let allowed = schema["enum"], case .text(let text) = value, !allowed.texts.contains(text) {
            return ["\(place): '\(text)' is not allowed"]
        }
        switch (schema["type"], value) {
        case (.text("string"), .text), (.text("boolean"), .boolean), (.text("integer"), .integer): return []
        case (.text("array"), .array(let values)):
            guard let items = schema["items"] else { return ["\(place): an array of what?"] }
            return values.enumerated().flatMap { faults($1, items, at: "\(place)[\($0)]") }
        case (.text("object"), .object(let fields)):
            let properties = schema["properties"]?.fields ?? [:]
            let missing = (schema["required"]?.texts ?? []).filter { fields[$0] == nil }
            return missing.map { "\(place): \($0) is missing" }
                + fields.flatMap { key, value -> [String] in
                    if let property = properties[key] { return faults(value, property, at: "\(place).\(key)") }
                    let isClosed = schema["additionalProperties"] == .boolean(false)
                    return isClosed ? ["\(place): \(key) is not described"] : []
                }
        default: return ["\(place): wrong type"]
        }
    }
}
