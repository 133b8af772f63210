/// A message that is the payload of one frame.
public protocol WireMessage: Sendable {
    static var kind: FrameKind { get }
    func write(_ fields: inout FieldWriter)
    static func read(_ fields: inout FieldReader) throws(WireError) -> Self
}

extension WireMessage {
    public func frame(stream: UInt16 = 0) -> Frame {
        var fields = FieldWriter()
        write(&fields)
        return Frame(Self.kind, stream: stream, payload: fields.bytes)
    }

    public init(_ frame: Frame) throws(WireError) {
        guard frame.kind == Self.kind else { throw .badValue }
        var fields = FieldReader(frame.payload)
        self = try Self.read(&fields)
        try fields.end()
    }
}

/// The first frame of a fresh guest.
public struct Hello: WireMessage, Equatable {
    public static let kind = FrameKind.hello
    public static let currentVersion: UInt32 = 3
    public var version: UInt32
    public init(version: UInt32 = Hello.currentVersion) { self.version = version }
    public func write(_ fields: inout FieldWriter) { fields.integer(version) }
    public static func read(_ fields: inout FieldReader) throws(WireError) -> Hello {
        Hello(version: try fields.integer())
    }
}

/// Makes a clone into one particular machine: new randomness first, then clock, disk, name and identity. Nothing of the
/// user's runs before all of it is confirmed by `Claimed`; an `Exec` that follows a failed claim is refused.
public struct Claim: WireMessage, Equatable {
    public static let kind = FrameKind.claim
    /// 16 bytes, sent back in `Claimed`; also the key that `Resume` shows from now on.
    public var nonce: [UInt8]
    /// 64 bytes of the host's randomness, credited and mixed in before anything else.
    public var seed: [UInt8]
    /// The host's wall clock in nanoseconds since 1970.
    public var time: UInt64
    /// 32 hexadecimal digits for `/etc/machine-id`.
    public var machineID: String
    public var hostName: String
    /// The size of the machine's own disk, which becomes the layer for changes before anything else is written; 0 when it
    /// keeps the throw-away one.
    public var diskBytes: UInt64

    public init(
        nonce: [UInt8], seed: [UInt8], time: UInt64, machineID: String, hostName: String, diskBytes: UInt64 = 0
    ) {
        self.nonce = nonce
        self.seed = seed
        self.time = time
        self.machineID = machineID
        self.hostName = hostName
        self.diskBytes = diskBytes
    }

    public func write(_ fields: inout FieldWriter) {
        fields.data(nonce)
        fields.data(seed)
        fields.integer(time)
        fields.text(machineID)
        fields.text(hostName)
        fields.integer(diskBytes)
    }

    public static func read(_ fields: inout FieldReader) throws(WireError) -> Claim {
        let claim = Claim(
            nonce: try fields.data(), seed: try fields.data(), time: try fields.integer(),
            machineID: try fields.text(), hostName: try fields.text(), diskBytes: try fields.integer())
        guard claim.nonce.count == 16, claim.seed.count == 64, claim.machineID.utf8.count == 32 else { throw .badValue }
        return claim
    }
}

/// The answer to a `Claim`. `failure` is empty when every step succeeded, else it names the step and its errno.
public struct Claimed: WireMessage, Equatable {
    public static let kind = FrameKind.claimed
    public var nonce: [UInt8]
    public var failure: String
    public init(nonce: [UInt8], failure: String = "") {
        self.nonce = nonce
        self.failure = failure
    }
    public func write(_ fields: inout FieldWriter) {
        fields.data(nonce)
        fields.text(failure)
    }
    public static func read(_ fields: inout FieldReader) throws(WireError) -> Claimed {
        Claimed(nonce: try fields.data(), failure: try fields.text())
    }
}
