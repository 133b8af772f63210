/// Names one job: a random (version 4) UUID in lower case. Random from its first digit, since that start is a public name.
public struct JobID: Hashable, Sendable, Codable, CustomStringConvertible {
    public let text: String

    /// - Returns: nil unless the text has the shape of a UUID.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 36 else { return nil }
        for (index, byte) in bytes.enumerated() {
            if [8, 13, 18, 23].contains(index) {
                guard byte == UInt8(ascii: "-") else { return nil }
            } else {
                guard JobID.isHexadecimal(byte) else { return nil }
            }
        }
        self.text = text.lowercased()
    }

    public static func random(using generator: inout some RandomNumberGenerator) -> JobID {
        var high = generator.next()
        var low = generator.next()
        high = high & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        low = low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        var digits: [UInt8] = []
        for (index, shift) in stride(from: 60, through: 0, by: -4).enumerated() {
            if index == 8 || index == 12 { digits.append(UInt8(ascii: "-")) }
            digits.append(JobID.digit(UInt8(truncatingIfNeeded: high >> UInt64(shift)) & 15))
        }
        for (index, shift) in stride(from: 60, through: 0, by: -4).enumerated() {
            if index == 0 || index == 4 { digits.append(UInt8(ascii: "-")) }
            digits.append(JobID.digit(UInt8(truncatingIfNeeded: low >> UInt64(shift)) & 15))
        }
        return JobID(unchecked: String(decoding: digits, as: UTF8.self))
    }

    public static func random() -> JobID {
        var generator = SystemRandomNumberGenerator()
        return random(using: &generator)
    }

    /// The first 12 hexadecimal digits: the name of the job's public address.
    public var subdomain: String { String(text.filter { $0 != "-" }.prefix(12)) }

    public var description: String { text }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let id = JobID(text) else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "not a job's id"))
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    private init(unchecked text: String) { self.text = text }

    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 87 + value }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (97...102).contains(byte) || (65...70).contains(byte)
    }
}

/// Names one machine on its node, for example `vm-3f9c21d07a4e`.
public struct MachineID: Hashable, Sendable, Codable, CustomStringConvertible {
    public let text: String
    public init(_ text: String) { self.text = text }
    public static func random() -> MachineID {
        let digits = String(UInt64.random(in: 0..<(1 << 48)), radix: 16)
        return MachineID("vm-" + String(repeating: "0", count: 12 - digits.count) + digits)
    }
    public var description: String { text }
    public init(from decoder: any Decoder) throws { text = try decoder.singleValueContainer().decode(String.self) }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
