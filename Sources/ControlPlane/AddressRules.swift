import Foundation

/// Which addresses the server may fetch a script from: public ones.
enum AddressRules {
    /// - Parameter address: an IPv4 or IPv6 address in its usual notation.
    static func isPublic(_ address: String) -> Bool {
        var four = in_addr()
        if inet_pton(AF_INET, address, &four) == 1 { return isPublic(four: UInt32(bigEndian: four.s_addr)) }
        var six = in6_addr()
        guard inet_pton(AF_INET6, address, &six) == 1 else { return false }
        return isPublic(six: withUnsafeBytes(of: six) { Array($0) })
    }

    static func isPublic(four address: UInt32) -> Bool {
        let closed: [(UInt32, Int)] = [
            (0x0000_0000, 8), (0x0A00_0000, 8), (0x6440_0000, 10), (0x7F00_0000, 8), (0xA9FE_0000, 16),
            (0xAC10_0000, 12), (0xC000_0000, 24), (0xC000_0200, 24), (0xC058_6300, 24), (0xC0A8_0000, 16),
            (0xC612_0000, 15), (0xC633_6400, 24), (0xCB00_7100, 24), (0xE000_0000, 4), (0xF000_0000, 4),
        ]
        return !closed.contains { network, bits in (address ^ network) >> UInt32(32 - bits) == 0 }
    }

    /// Global unicast only, and of the forms that carry an IPv4 address none that carries a closed one.
    static func isPublic(six bytes: [UInt8]) -> Bool {
        func four(_ start: Int) -> UInt32 { bytes[start..<start + 4].reduce(0) { $0 << 8 | UInt32($1) } }
        if bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF {
            return isPublic(four: four(12))
        }
        if bytes[..<12].elementsEqual([0x00, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0]) {
            return isPublic(four: four(12))
        }
        if bytes[0] == 0x20, bytes[1] == 0x02 { return isPublic(four: four(2)) }
        // Teredo, ORCHID and documentation lie within 2001::/23 and 2001:db8::/32.
        if bytes[0] == 0x20, bytes[1] == 0x01, bytes[2] < 0x02 { return false }
        if bytes[..<4].elementsEqual([0x20, 0x01, 0x0D, 0xB8]) { return false }
        return bytes[0] & 0xE0 == 0x20
    }
}
