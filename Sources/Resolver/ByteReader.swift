/// Reads numbers and names from bytes of a stranger's; nil beyond the end.
struct ByteReader {
    private let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }

    mutating func uint8() -> UInt8? {
        guard position < bytes.count else { return nil }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func uint16() -> UInt16? {
        guard bytes.count - position >= 2 else { return nil }
        defer { position += 2 }
        return UInt16(bytes[position]) << 8 | UInt16(bytes[position + 1])
    }

    mutating func skip(_ count: Int) -> Bool {
        guard bytes.count - position >= count else { return false }
        position += count
        return true
    }

    /// A name of at most 255 bytes, without compression: a query has nothing to point at.
    mutating func name() -> [UInt8]? {
        let start = position
        while let length = uint8() {
            if length == 0 { return Array(bytes[start..<position]) }
            guard length <= 63, skip(Int(length)), position - start < 255 else { return nil }
        }
        return nil
    }
}
