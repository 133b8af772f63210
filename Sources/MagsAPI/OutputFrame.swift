/// A piece of a job's output as `GET …/output?follow=1` with `Accept: application/vnd.mags.output` streams it: one
/// byte of kind, the payload's length (u32, little-endian), the payload.
///
/// A client that was cut off asks again with `stdout=N&stderr=M`, the bytes that it has of each stream, and gets the
/// rest; what it was told to be missing counts as had. The last frame is `end` or `error`; a stream without one was cut off.
public struct OutputFrame: Sendable, Equatable {
    public enum Kind: UInt8, Sendable {
        /// The job has ended and everything was sent; the payload is its `JobStatus` as JSON.
        case end = 0
        case stdout = 1
        case stderr = 2
        /// What the platform says about the job, in UTF-8.
        case system = 3
        /// Output is missing here: the payload is `SkippedOutput` as JSON.
        case skipped = 4
        /// Nothing more comes here though the job has not ended; the payload is an `ErrorReply` as JSON.
        case error = 5
    }

    public static let mediaType = "application/vnd.mags.output"
    public static let headerSize = 5
    /// A longer payload is damage.
    public static let maximumLength = 1 << 20

    public var kind: Kind
    public var payload: [UInt8]

    public init(kind: Kind, payload: [UInt8]) {
        self.kind = kind
        self.payload = payload
    }

    /// The five bytes before a payload of this length.
    public static func header(kind: Kind, length: Int) -> [UInt8] {
        [kind.rawValue] + (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
    }

    public func encoded() -> [UInt8] { OutputFrame.header(kind: kind, length: payload.count) + payload }
}

/// Output that was beyond the log's limit when nobody followed it: it is kept no longer.
public struct SkippedOutput: Sendable, Codable, Equatable {
    /// `stdout` or `stderr`.
    public var stream: String
    /// How many bytes of it are missing.
    public var bytes: Int

    public init(stream: String, bytes: Int) {
        self.stream = stream
        self.bytes = bytes
    }
}

/// Cuts a stream of frames apart, whatever pieces it arrives in.
public struct OutputFrameDecoder: Sendable {
    public struct Damage: Error, Equatable, Sendable {}
    private var buffer: [UInt8] = []
    private var start = 0

    public init() {}

    public mutating func append(_ bytes: some Collection<UInt8>) {
        if start > 0 {
            buffer.removeSubrange(0..<start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    public mutating func next() throws(Damage) -> OutputFrame? {
        guard buffer.count - start >= OutputFrame.headerSize else { return nil }
        guard let kind = OutputFrame.Kind(rawValue: buffer[start]) else { throw Damage() }
        var length = 0
        for offset in 0..<4 { length |= Int(buffer[start + 1 + offset]) << (8 * offset) }
        guard length <= OutputFrame.maximumLength else { throw Damage() }
        let first = start + OutputFrame.headerSize
        guard buffer.count - first >= length else { return nil }
        start = first + length
        return OutputFrame(kind: kind, payload: Array(buffer[first..<start]))
    }
}
