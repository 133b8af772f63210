@testable import Resolver

/// Bytes of a query for `name`.
func query(_ name: String, type: UInt16 = 1, id: UInt16 = 0x1234, replySize: UInt16? = nil) -> [UInt8] {
    var bytes = DNSReply.big(id) + DNSReply.big(0x0100)
    for count: UInt16 in [1, 0, 0, replySize == nil ? 0 : 1] { bytes += DNSReply.big(count) }
    for label in name.split(separator: ".") {
        bytes.append(UInt8(label.utf8.count))
        bytes += Array(label.utf8)
    }
    bytes.append(0)
    bytes += DNSReply.big(type) + DNSReply.big(1)
    if let replySize { bytes += [0, 0, 41] + DNSReply.big(replySize) + [UInt8](repeating: 0, count: 6) }
    return bytes
}

/// What the tests look at in a reply.
struct Reply: Equatable {
    var id: UInt16
    var code: UInt8
    var isCut: Bool
    var answerCount: Int
    var tail: [UInt8]

    init?(_ bytes: [UInt8]?) {
        guard let bytes, bytes.count >= 12, bytes[2] & 0x80 != 0 else { return nil }
        id = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
        code = bytes[3] & 15
        isCut = bytes[2] & 2 != 0
        answerCount = Int(bytes[6]) << 8 | Int(bytes[7])
        tail = bytes.suffix(4)
    }
}
