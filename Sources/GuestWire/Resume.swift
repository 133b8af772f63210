/// The first bytes of every connection from a host to a guest, outside the framing, so that both sides meet again after
/// either lost the other in the middle of a frame.
///
/// The host sends `Resume` (48 bytes) as one write. The guest looks for its mark at the start of every chunk that it
/// reads, drops half a frame that it may hold, and answers with the 32 bytes of `answer`, then with every frame from
/// `received` on that it still keeps. The host drops all bytes until it has seen the answer. What the guest sends is
/// kept until the host's `ack`, so a host may be killed at any byte and lose nothing.
public struct Resume: Equatable, Sendable {
    public static let size = 48
    public static let answerSize = 32

    /// The key of the machine: the claim's nonce, sixteen zero bytes before it is claimed. User code does not know it,
    /// so bytes of a user that happen to start a chunk cannot be taken for a mark.
    public var key: [UInt8]
    /// Chosen for this connection; 16 bytes.
    public var nonce: [UInt8]
    /// Bytes of the guest's frames that the host has whole, counted from the guest's start.
    public var received: UInt64

    public static let unclaimedKey = [UInt8](repeating: 0, count: 16)
    static let mark: [UInt8] = [0xF7, 0x4D, 0x41, 0x47, 0x53, 0x52, 0x53, 0x31]

    public init(key: [UInt8], nonce: [UInt8], received: UInt64) {
        self.key = key
        self.nonce = nonce
        self.received = received
    }

    public func encode() -> [UInt8] {
        var fields = FieldWriter()
        fields.integer(received)
        return Resume.mark + key + nonce + fields.bytes
    }

    /// The resume that a chunk starts with, if it shows the right key.
    public init?(startOf chunk: UnsafeRawBufferPointer, key: [UInt8]) {
        guard chunk.count >= Resume.size else { return nil }
        for index in 0..<8 where chunk[index] != Resume.mark[index] { return nil }
        for index in 0..<16 where chunk[8 + index] != key[index] { return nil }
        self.key = key
        nonce = Array(chunk[24..<40])
        received = 0
        for index in 0..<8 { received |= UInt64(chunk[40 + index]) << UInt64(8 * index) }
    }

    /// What the guest sends before it goes on with frames: mark, nonce, and the position that the next frame has.
    public func answer(position: UInt64) -> [UInt8] {
        var fields = FieldWriter()
        fields.integer(position)
        return Resume.mark + nonce + fields.bytes
    }
}
