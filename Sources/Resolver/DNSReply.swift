/// Bytes of replies.
enum DNSReply {
    /// For a query whose question could not be read, or is not to be repeated.
    static func rejection(id: UInt16, code: UInt8) -> [UInt8] { header(id: id, flags: 0x8080 | UInt16(code)) }

    /// With the question repeated. Over UDP a reply that is too long comes without answers and marked as cut, so that the
    /// guest asks again over TCP.
    static func make(
        _ question: DNSQuestion, code: UInt8, addresses: [[UInt8]] = [], ttl: UInt32 = 0, limit: Int
    ) -> [UInt8] {
        let length = 12 + question.name.count + 4 + (question.replySize == nil ? 0 : 11)
        let isCut = length + addresses.reduce(0) { $0 + 12 + $1.count } > limit
        let given = isCut ? [] : addresses
        var flags = 0x8080 | UInt16(code)
        if question.wantsRecursion { flags |= 0x0100 }
        if isCut { flags |= 0x0200 }
        var bytes = header(
            id: question.id, flags: flags, counts: [1, UInt16(given.count), 0, question.replySize == nil ? 0 : 1])
        bytes += question.name + big(question.type) + big(1)
        for address in given {
            // The owner's name points at the question's.
            bytes += [0xc0, 12] + big(question.type) + big(1) + big(UInt16(ttl >> 16)) + big(UInt16(ttl & 0xffff))
            bytes += big(UInt16(address.count)) + address
        }
        if question.replySize != nil { bytes += extensionRecord }
        return bytes
    }

    /// The same question for a name server of the host's, in our words: nothing that the guest wrote is passed on but it.
    static func query(_ question: DNSQuestion, id: UInt16) -> [UInt8] {
        header(id: id, flags: 0x0100, counts: [1, 0, 0, 1]) + question.name + big(question.type) + big(1)
            + extensionRecord
    }

    /// EDNS, 1,232 bytes: what passes every network in one piece.
    private static let extensionRecord: [UInt8] = [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]

    private static func header(id: UInt16, flags: UInt16, counts: [UInt16] = [0, 0, 0, 0]) -> [UInt8] {
        ([id, flags] + counts).flatMap(big)
    }

    static func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }
}
