/// The one question of a query from a guest, checked to the last byte.
struct DNSQuestion: Equatable, Sendable {
    enum RecordType {
        static let a: UInt16 = 1
        static let aaaa: UInt16 = 28
        static let opt: UInt16 = 41
        /// Transfers of zones, and "any": never asked on a guest's behalf.
        static let meta: ClosedRange<UInt16> = 249...255
    }

    enum Code {
        static let noError: UInt8 = 0
        static let formatError: UInt8 = 1
        static let serverFailure: UInt8 = 2
        static let noSuchName: UInt8 = 3
        static let notImplemented: UInt8 = 4
        static let refused: UInt8 = 5
    }

    enum Parsed: Equatable, Sendable {
        case question(DNSQuestion)
        /// To be answered with this code and nothing else.
        case rejected(id: UInt16, code: UInt8)
        /// No query at all.
        case nothing
    }

    var id: UInt16
    /// As on the wire, the root's zero byte included; the guest's own upper and lower case.
    var name: [UInt8]
    var type: UInt16
    var wantsRecursion: Bool
    /// The largest reply over UDP that the guest takes; nil when it spoke no EDNS.
    var replySize: Int?

    static let longestQuery = 4096

    static func parse(_ bytes: [UInt8]) -> Parsed {
        var reader = ByteReader(bytes)
        guard bytes.count <= longestQuery, let id = reader.uint16(), let flags = reader.uint16(),
            let questions = reader.uint16(), let answers = reader.uint16(), let authorities = reader.uint16(),
            let additional = reader.uint16(), flags & 0x8000 == 0
        else { return .nothing }
        guard flags & 0x7800 == 0 else { return .rejected(id: id, code: Code.notImplemented) }
        guard questions == 1, answers == 0, authorities == 0, additional <= 1, let name = reader.name(),
            let type = reader.uint16(), let kind = reader.uint16()
        else { return .rejected(id: id, code: Code.formatError) }
        var replySize: Int?
        if additional == 1 {
            guard let size = extensionSize(&reader) else { return .rejected(id: id, code: Code.formatError) }
            replySize = size
        }
        guard reader.isAtEnd else { return .rejected(id: id, code: Code.formatError) }
        guard kind == 1, !RecordType.meta.contains(type), type != RecordType.opt else {
            return .rejected(id: id, code: Code.refused)
        }
        return .question(
            DNSQuestion(id: id, name: name, type: type, wantsRecursion: flags & 0x100 != 0, replySize: replySize))
    }

    /// The additional record must be EDNS version 0.
    private static func extensionSize(_ reader: inout ByteReader) -> Int? {
        guard reader.uint8() == 0, reader.uint16() == RecordType.opt, let size = reader.uint16(), reader.uint8() != nil,
            reader.uint8() == 0, reader.uint16() != nil, let length = reader.uint16(), reader.skip(Int(length))
        else { return nil }
        return min(max(Int(size), 512), 1232)
    }

    /// The name as text without the last dot, or nil when it is none that a host can have: the root, other bytes than
    /// letters, digits, `-` and `_`, or a number that would be taken for an address.
    var hostName: String? {
        var text: [UInt8] = []
        var rest = name[...]
        while let length = rest.first, length > 0 {
            let label = rest.dropFirst().prefix(Int(length))
            guard label.allSatisfy(Self.isHostByte) else { return nil }
            if !text.isEmpty { text.append(UInt8(ascii: ".")) }
            text += label
            rest = rest.dropFirst(Int(length) + 1)
        }
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        let last = text.split(separator: UInt8(ascii: ".")).last
        guard let first = last?.first, !digits.contains(first) || last?.allSatisfy(Self.isNumeric) == false else {
            return nil
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        isNumeric(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    /// What the last part of `10.1`, `0x7f.1` or `2130706433` consists of.
    private static func isNumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
            || byte | 0x20 == UInt8(ascii: "x")
    }

    /// In lower case, as names are compared.
    var key: [UInt8] { name.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 } }
}
