import MagsModel
package import NodeWire

/// One line of a job's log.
package struct LogLine: Sendable, Equatable {
    package var number: Int
    /// Microseconds since 1970 at which its first byte was written.
    package var time: UInt64
    package var stream: OutputRecord.Stream
    package var text: String
}

/// Makes the lines of a log out of a job's records. Pure: the same records always give the same lines under the same
/// numbers, so a number names a line for good as long as the log is below its limit.
///
/// A line ends with its line feed (a carriage return before it goes too), after `maximumBytes`, with the output, or where
/// output is missing; a line of the platform's then says how much.
package struct LogLines: Sendable {
    package static let maximumBytes = 64 * 1024

    private struct Partial: Sendable {
        var bytes: [UInt8] = []
        var time: UInt64 = 0
    }

    private var partials: [OutputRecord.Stream: Partial] = [:]
    private var count = 0
    private var holes = StreamHoles()
    private var latest: UInt64 = 0

    package init() {}

    /// The lines that this record completes.
    package mutating func append(_ record: OutputRecord) -> [LogLine] {
        latest = max(latest, record.time)
        var lines = holes.before(record).map { linesAround($0, record) } ?? []
        var partial = partials[record.stream] ?? Partial()
        var rest = record.bytes[...]
        while !rest.isEmpty {
            if partial.bytes.isEmpty { partial.time = record.time }
            let room = LogLines.maximumBytes - partial.bytes.count
            let piece = rest.prefix(room)
            if let end = piece.firstIndex(of: UInt8(ascii: "\n")) {
                partial.bytes.append(contentsOf: rest[..<end])
                rest = rest[(end + 1)...]
                if partial.bytes.last == UInt8(ascii: "\r") { partial.bytes.removeLast() }
                lines.append(line(partial.bytes, record.stream, partial.time))
                partial.bytes = []
            } else {
                partial.bytes.append(contentsOf: piece)
                rest = rest.dropFirst(piece.count)
                guard partial.bytes.count == LogLines.maximumBytes else { break }
                let cut = LogLines.wholeCharacters(of: partial.bytes)
                lines.append(line(Array(partial.bytes[..<cut]), record.stream, partial.time))
                partial.bytes.removeSubrange(..<cut)
                partial.time = record.time
            }
        }
        partials[record.stream] = partial
        return lines
    }

    /// What was left without a line end, once there is no more output.
    package mutating func finish() -> [LogLine] {
        let rest = partials.filter { !$0.value.bytes.isEmpty }
            .sorted { ($0.value.time, $0.key.rawValue) < ($1.value.time, $1.key.rawValue) }
        partials = [:]
        return rest.map { line($0.value.bytes, $0.key, $0.value.time) }
    }

    private mutating func linesAround(_ hole: Range<UInt64>, _ record: OutputRecord) -> [LogLine] {
        var lines: [LogLine] = []
        if let broken = partials.removeValue(forKey: record.stream), !broken.bytes.isEmpty {
            lines.append(line(broken.bytes, record.stream, broken.time))
        }
        let count = hole.upperBound - hole.lowerBound
        let name = record.stream == .stderr ? "error" : "output"
        let text = "\(count) bytes of standard \(name) are missing here: the log keeps \(Limits.logBytes >> 20) MiB."
        lines.append(line(Array(text.utf8), .system, latest))
        return lines
    }

    private mutating func line(_ bytes: [UInt8], _ stream: OutputRecord.Stream, _ time: UInt64) -> LogLine {
        count += 1
        return LogLine(number: count, time: time, stream: stream, text: String(decoding: bytes, as: UTF8.self))
    }

    /// How many of the bytes to take so that no character of up to four bytes is cut in two.
    private static func wholeCharacters(of bytes: [UInt8]) -> Int {
        for back in 1...3 {
            let byte = bytes[bytes.count - back]
            guard byte & 0xC0 == 0x80 else {
                let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
                return length > back ? bytes.count - back : bytes.count
            }
        }
        return bytes.count
    }
}
