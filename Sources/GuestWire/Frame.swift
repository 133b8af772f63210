/// One frame of the guest wire: eight bytes of header, then up to `maximumPayload` bytes.
///
/// Little-endian: kind (1), reserved, zero (1), stream (2), payload length (4). The stream is the number of the
/// exec that a frame belongs to; 0 for frames about the machine itself.
public struct Frame: Equatable, Sendable {
    public static let headerSize = 8
    public static let maximumPayload = 32 * 1024

    public var kind: FrameKind
    public var stream: UInt16
    public var payload: [UInt8]

    public init(_ kind: FrameKind, stream: UInt16 = 0, payload: [UInt8] = []) {
        self.kind = kind
        self.stream = stream
        self.payload = payload
    }

    /// Bytes of the frame on the wire; positions (`Resume`, `ack`) count these.
    public var wireSize: Int { Frame.headerSize + payload.count }

    public func encode(into output: inout [UInt8]) {
        output.reserveCapacity(output.count + wireSize)
        output.append(kind.rawValue)
        output.append(0)
        output.append(UInt8(truncatingIfNeeded: stream))
        output.append(UInt8(truncatingIfNeeded: stream >> 8))
        let length = UInt32(payload.count)
        for shift: UInt32 in [0, 8, 16, 24] { output.append(UInt8(truncatingIfNeeded: length >> shift)) }
        output.append(contentsOf: payload)
    }
}

/// What a frame says. Values below 64 go to the guest, from 64 on they come from it.
public enum FrameKind: UInt8, Sendable, CaseIterable {
    // Host to guest.
    /// Everything up to this position of the guest's output is kept by the host: `position` (u64).
    case ack = 1
    /// A `Credit`: how far a stream's output may reach.
    case credit = 2
    /// A `Claim`.
    case claim = 3
    /// An `Exec`.
    case exec = 4
    /// The rest of a script that did not fit into its `Exec`: bytes; the last one is followed by `scriptEnd`.
    case script = 5
    case scriptEnd = 6
    /// Bytes for a stream's standard input, within the credit that the guest gave.
    case stdin = 7
    case stdinClose = 8
    /// A `SignalRequest`.
    case signal = 9
    /// A piece of a file, a `FilePiece`; answered by `reply`.
    case file = 10
    /// The host's wall clock: nanoseconds (u64); the guest slews.
    case clock = 11
    /// A `Prepare`: rehearse and start what waits for its script; answered by `reply`.
    case prepare = 12
    /// Answered by `pong` with the same bytes.
    case ping = 13
    /// Flush file systems, then power off.
    case powerOff = 14
    /// More environment for the `exec` that follows on the same stream: pieces of one encoded list of pairs
    /// (`FieldWriter.pairs`), at most 512 KiB together, added to what the `Exec` itself holds. For an environment that
    /// does not fit into one frame.
    case environment = 15
    /// A `Rest`: the machine is about to sleep; answered by `reply`.
    case rest = 16
    /// A `Wake`: the machine goes on; answered by `reply`.
    case wake = 17

    // Guest to host.
    /// A `Hello`: the guest is up.
    case hello = 64
    /// A `Claimed`.
    case claimed = 65
    /// The process runs: `pid` (u32).
    case started = 66
    case stdout = 67
    case stderr = 68
    /// An `Exit`: nothing follows on this stream.
    case exited = 69
    /// An `ExecFailure`: the process never ran; nothing follows on this stream.
    case failed = 70
    /// More standard input may be sent: bytes (u32).
    case stdinCredit = 71
    /// A `Reply`.
    case reply = 72
    case pong = 73

    public var isFromGuest: Bool { rawValue >= 64 }
}

/// Why bytes from the other side cannot be a frame or a message.
public enum WireError: Error, Equatable, Sendable {
    case unknownKind(UInt8)
    case oversize(UInt32)
    case reservedNotZero
    case wrongDirection(FrameKind)
    case truncated
    case trailingBytes
    case badText
    case badValue
}
