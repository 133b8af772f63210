/// Cuts the entries out of `{"logs":[…]}` as it arrives, so that a log of any length is read in the memory of one entry.
///
/// It knows the grammar only as far as it must to find where an entry ends; the entries themselves are for a real
/// decoder of JSON.
struct LogListDecoder {
    enum Item: Equatable {
        case entry([UInt8])
        /// The document is whole. `nextAfter`: it was cut, and the entries behind this one are another.
        case end(nextAfter: Int?)
    }

    /// As long as an event of the log that is followed.
    private static let longest = 1 << 20

    private enum Place { case text, escape, string }

    private var buffer: [UInt8] = []
    private var position = 0
    private var place = Place.text
    /// How many braces and brackets are open: an entry stands in two, of which the inner one is a list.
    private var depth = 0
    private var isInList = false
    private var entry: [UInt8] = []
    /// What stands beside the list.
    private var rest: [UInt8] = []

    mutating func append(_ bytes: some Collection<UInt8>) {
        buffer.removeSubrange(..<position)
        position = 0
        buffer.append(contentsOf: bytes)
    }

    /// - Returns: nil when more bytes are needed.
    mutating func next() throws -> Item? {
        while position < buffer.count {
            let byte = buffer[position]
            position += 1
            let before = depth
            try step(byte)
            if isInList, before > 2 || depth > 2 { entry.append(byte) }
            if before < 2, depth < 2 { rest.append(byte) }
            guard entry.count <= LogListDecoder.longest, rest.count <= LogListDecoder.longest else {
                throw EventStreamDecoder.Damage()
            }
            if depth < before {
                if depth == 2, !entry.isEmpty {
                    defer { entry = [] }
                    return .entry(entry)
                }
                if depth == 0 { return .end(nextAfter: nextAfter) }
            }
        }
        return nil
    }

    private var nextAfter: Int? {
        let name = Array("\"next_after\":".utf8)
        guard let start = rest.indices.first(where: { rest[$0...].starts(with: name) }) else { return nil }
        let digits = rest[(start + name.count)...].drop { $0 == UInt8(ascii: " ") }.prefix { (48...57).contains($0) }
        return Int(String(decoding: digits, as: UTF8.self))
    }

    private mutating func step(_ byte: UInt8) throws {
        switch (place, byte) {
        case (.escape, _): place = .string
        case (.string, UInt8(ascii: "\\")): place = .escape
        case (.string, UInt8(ascii: "\"")): place = .text
        case (.string, _): break
        case (.text, UInt8(ascii: "\"")): place = .string
        case (.text, UInt8(ascii: "{")), (.text, UInt8(ascii: "[")):
            depth += 1
            if depth == 2 { isInList = byte == UInt8(ascii: "[") }
        case (.text, UInt8(ascii: "}")), (.text, UInt8(ascii: "]")):
            guard depth > 0 else { throw EventStreamDecoder.Damage() }
            depth -= 1
        case (.text, _): break
        }
    }
}
