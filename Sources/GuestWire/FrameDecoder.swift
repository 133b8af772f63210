/// Cuts a byte stream into frames. Holds at most one partial frame; says no at the first byte that cannot be right,
/// since the other side may be hostile.
public struct FrameDecoder: Sendable {
    private var buffer: [UInt8] = []
    private var start = 0
    private let acceptsFromGuest: Bool

    /// - Parameter acceptsFromGuest: true on the host's side, where only the guest's kinds may arrive.
    public init(acceptsFromGuest: Bool) { self.acceptsFromGuest = acceptsFromGuest }

    /// Bytes that wait for the rest of their frame.
    public var pendingCount: Int { buffer.count - start }

    public mutating func reset() {
        buffer.removeAll(keepingCapacity: true)
        start = 0
    }

    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if start > 0 {
            buffer.removeSubrange(0..<start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    public mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

    /// The next whole frame, or nil when more bytes are needed. After an error the stream is of no more use.
    public mutating func next() throws(WireError) -> Frame? {
        guard pendingCount >= Frame.headerSize else { return nil }
        guard let kind = FrameKind(rawValue: buffer[start]) else { throw .unknownKind(buffer[start]) }
        guard kind.isFromGuest == acceptsFromGuest else { throw .wrongDirection(kind) }
        guard buffer[start + 1] == 0 else { throw .reservedNotZero }
        let stream = UInt16(buffer[start + 2]) | UInt16(buffer[start + 3]) << 8
        var length: UInt32 = 0
        for index in 0..<4 { length |= UInt32(buffer[start + 4 + index]) << UInt32(8 * index) }
        guard length <= UInt32(Frame.maximumPayload) else { throw .oversize(length) }
        let end = start + Frame.headerSize + Int(length)
        guard buffer.count >= end else { return nil }
        let payload = Array(buffer[(start + Frame.headerSize)..<end])
        start = end
        return Frame(kind, stream: stream, payload: payload)
    }
}
