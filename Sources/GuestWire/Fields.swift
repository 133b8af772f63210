/// Writes the fields of a message: fixed-width integers little-endian, bytes and texts behind a u32 length.
public struct FieldWriter: Sendable {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    public mutating func integer<T: FixedWidthInteger & UnsignedInteger>(_ value: T) {
        var rest = value
        for _ in 0..<(T.bitWidth / 8) {
            bytes.append(UInt8(truncatingIfNeeded: rest))
            if T.bitWidth > 8 { rest >>= 8 }
        }
    }

    public mutating func flag(_ value: Bool) { bytes.append(value ? 1 : 0) }

    public mutating func data(_ value: [UInt8]) {
        integer(UInt32(value.count))
        bytes.append(contentsOf: value)
    }

    public mutating func text(_ value: String) { data(Array(value.utf8)) }

    public mutating func pairs(_ values: [(String, String)]) {
        integer(UInt32(values.count))
        for (key, value) in values {
            text(key)
            text(value)
        }
    }
}

/// Reads the fields of a message; every length is checked against what is there before anything is allocated.
public struct FieldReader: Sendable {
    private let bytes: [UInt8]
    private var position = 0

    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    public var remaining: Int { bytes.count - position }

    public mutating func integer<T: FixedWidthInteger & UnsignedInteger>(_: T.Type = T.self) throws(WireError) -> T {
        let width = T.bitWidth / 8
        guard remaining >= width else { throw .truncated }
        var value: T = 0
        for index in 0..<width { value |= T(bytes[position + index]) << T(8 * index) }
        position += width
        return value
    }

    public mutating func flag() throws(WireError) -> Bool {
        switch try integer(UInt8.self) {
        case 0: return false
        case 1: return true
        default: throw .badValue
        }
    }

    public mutating func data() throws(WireError) -> [UInt8] {
        let length = Int(try integer(UInt32.self))
        guard length <= remaining else { throw .truncated }
        defer { position += length }
        return Array(bytes[position..<(position + length)])
    }

    public mutating func text() throws(WireError) -> String {
        let raw = try data()
        guard let text = String(validating: raw, as: UTF8.self) else { throw .badText }
        return text
    }

    public mutating func pairs() throws(WireError) -> [(String, String)] {
        let count = Int(try integer(UInt32.self))
        // Each pair takes two lengths at least.
        guard count <= remaining / 8 else { throw .truncated }
        var values: [(String, String)] = []
        for _ in 0..<count { values.append((try text(), try text())) }
        return values
    }

    /// A message with anything behind its last field is not the message that it claims to be.
    public func end() throws(WireError) {
        guard remaining == 0 else { throw .trailingBytes }
    }
}
