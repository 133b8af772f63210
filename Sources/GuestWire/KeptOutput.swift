/// Frames that the guest has sent or will send and that the host has not acknowledged, in a ring by absolute position,
/// so that a new host can be given everything that the last one did not keep.
public struct KeptOutput: Sendable {
    private var storage: [UInt8]
    /// The first byte that is still kept.
    public private(set) var start: UInt64 = 0
    /// The next byte to be written to the port.
    public private(set) var sent: UInt64 = 0
    /// One past the last byte: the position of the next frame.
    public private(set) var end: UInt64 = 0

    public init(capacity: Int) { storage = [UInt8](repeating: 0, count: capacity) }

    public var freeCount: Int { storage.count - Int(end - start) }
    public var hasUnsent: Bool { sent < end }

    /// Puts a frame behind the others. A payload above `Frame.maximumPayload`, or one that does not fit, is refused.
    public mutating func append(_ kind: FrameKind, stream: UInt16, payload: UnsafeRawBufferPointer) -> Bool {
        guard payload.count <= Frame.maximumPayload, Frame.headerSize + payload.count <= freeCount else { return false }
        let length = UInt32(payload.count)
        put(kind.rawValue)
        put(0)
        put(UInt8(truncatingIfNeeded: stream))
        put(UInt8(truncatingIfNeeded: stream >> 8))
        for shift: UInt32 in [0, 8, 16, 24] { put(UInt8(truncatingIfNeeded: length >> shift)) }
        let offset = index(of: end)
        let first = min(payload.count, storage.count - offset)
        storage.withUnsafeMutableBytes { ring in
            UnsafeMutableRawBufferPointer(rebasing: ring[offset..<(offset + first)])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: payload[..<first]))
            UnsafeMutableRawBufferPointer(rebasing: ring[..<(payload.count - first)])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: payload[first...]))
        }
        end += UInt64(payload.count)
        return true
    }

    public mutating func append(_ frame: Frame) -> Bool {
        frame.payload.withUnsafeBytes { append(frame.kind, stream: frame.stream, payload: $0) }
    }

    /// The host has everything before `position`. One that was never sent, or was acknowledged before, changes nothing.
    public mutating func acknowledge(_ position: UInt64) {
        guard position > start, position <= sent else { return }
        start = position
    }

    /// Goes back to what a new host lacks. Returns the position that it will get next: `position`, unless that is no
    /// longer kept or lies ahead.
    public mutating func resend(from position: UInt64) -> UInt64 {
        sent = min(max(position, start), end)
        return sent
    }

    /// Hands the next unsent bytes that lie in one piece to `write`, which returns how many of them it took.
    public mutating func sendPiece(_ write: (UnsafeRawBufferPointer) -> Int) -> Int {
        let offset = index(of: sent)
        let count = min(Int(end - sent), storage.count - offset)
        let taken = storage.withUnsafeBytes { write(UnsafeRawBufferPointer(rebasing: $0[offset..<(offset + count)])) }
        sent += UInt64(max(0, min(taken, count)))
        return taken
    }

    private func index(of position: UInt64) -> Int { Int(position % UInt64(storage.count)) }

    private mutating func put(_ byte: UInt8) {
        storage[index(of: end)] = byte
        end += 1
    }
}
