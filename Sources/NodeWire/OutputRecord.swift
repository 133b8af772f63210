/// A piece of a job's output as the node keeps it and sends it: 24 bytes of header, then the bytes.
///
/// Little-endian: stream (1), zero (3), length (u32), microseconds since 1970 (u64), position of the first byte in its
/// stream (u64). A record's offset is where it starts in the concatenation of all records of the job.
public struct OutputRecord: Equatable, Sendable {
    public enum Stream: UInt8, Sendable, CaseIterable {
        case stdout = 1
        case stderr = 2
        /// What the platform says about the job: text in UTF-8.
        case system = 3
    }

    public static let headerSize = 24
    /// A longer record is damage.
    public static let maximumLength = 1 << 20

    public var stream: Stream
    public var time: UInt64
    public var position: UInt64
    public var bytes: [UInt8]

    public init(stream: Stream, time: UInt64, position: UInt64, bytes: [UInt8]) {
        self.stream = stream
        self.time = time
        self.position = position
        self.bytes = bytes
    }

    public var size: Int { OutputRecord.headerSize + bytes.count }

    public func encode(into output: inout [UInt8]) {
        output.reserveCapacity(output.count + size)
        output.append(contentsOf: [stream.rawValue, 0, 0, 0])
        withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { output.append(contentsOf: $0) }
        withUnsafeBytes(of: time.littleEndian) { output.append(contentsOf: $0) }
        withUnsafeBytes(of: position.littleEndian) { output.append(contentsOf: $0) }
        output.append(contentsOf: bytes)
    }
}

/// Cuts concatenated records apart, whatever pieces they arrive in.
public struct OutputRecordDecoder: Sendable {
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

    public mutating func next() throws(Damage) -> OutputRecord? {
        guard buffer.count - start >= OutputRecord.headerSize else { return nil }
        guard let stream = OutputRecord.Stream(rawValue: buffer[start]) else { throw Damage() }
        let length = Int(integer(at: start + 4, width: 4))
        guard length <= OutputRecord.maximumLength else { throw Damage() }
        let end = start + OutputRecord.headerSize + length
        guard buffer.count >= end else { return nil }
        let record = OutputRecord(
            stream: stream, time: integer(at: start + 8, width: 8), position: integer(at: start + 16, width: 8),
            bytes: Array(buffer[(start + OutputRecord.headerSize)..<end]))
        start = end
        return record
    }

    private func integer(at index: Int, width: Int) -> UInt64 {
        var value: UInt64 = 0
        for offset in 0..<width { value |= UInt64(buffer[index + offset]) << UInt64(8 * offset) }
        return value
    }
}
