package import NodeWire

/// Finds what is missing of a job's streams: output beyond the log's limit that nobody followed when it came, or that was
/// let go before this reader was there. Takes every record in order, from the job's first on.
package struct StreamHoles: Sendable {
    private var next: [OutputRecord.Stream: UInt64] = [:]

    package init() {}

    /// - Returns: the positions that are missing right before this record of its stream, or nil.
    package mutating func before(_ record: OutputRecord) -> Range<UInt64>? {
        guard record.stream != .system else { return nil }
        let expected = next[record.stream] ?? 0
        next[record.stream] = max(expected, record.position &+ UInt64(record.bytes.count))
        return record.position > expected ? expected..<record.position : nil
    }
}
