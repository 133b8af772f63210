/// Holds everything of the user's and writes what it wrote to its disks: the machine is stopped and saved next. It stays
/// held until `Wake`, so that nothing of the user's runs before randomness and clock are right again.
public struct Rest: WireMessage, Equatable {
    public static let kind = FrameKind.rest
    /// Sent back in the `Reply`.
    public var request: UInt32
    public init(request: UInt32) { self.request = request }
    public func write(_ fields: inout FieldWriter) { fields.integer(request) }
    public static func read(_ fields: inout FieldReader) throws(WireError) -> Rest {
        Rest(request: try fields.integer())
    }
}

/// After a sleep, or when one was called off: new randomness, then the clock, then the user's programs go on.
public struct Wake: WireMessage, Equatable {
    public static let kind = FrameKind.wake
    /// Sent back in the `Reply`.
    public var request: UInt32
    /// 64 bytes of the host's randomness.
    public var seed: [UInt8]
    /// The host's wall clock in nanoseconds since 1970.
    public var time: UInt64

    public init(request: UInt32, seed: [UInt8], time: UInt64) {
        self.request = request
        self.seed = seed
        self.time = time
    }

    public func write(_ fields: inout FieldWriter) {
        fields.integer(request)
        fields.data(seed)
        fields.integer(time)
    }

    public static func read(_ fields: inout FieldReader) throws(WireError) -> Wake {
        let wake = Wake(request: try fields.integer(), seed: try fields.data(), time: try fields.integer())
        guard wake.seed.count == 64 else { throw .badValue }
        return wake
    }
}
