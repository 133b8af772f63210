/// Cuts server-sent events apart, whatever pieces they arrive in.
struct EventStreamDecoder {
    struct Event: Equatable {
        /// `message` unless it names itself.
        var name = "message"
        var data: [UInt8] = []
    }

    struct Damage: Error {}

    /// A log's line is at most 64 KiB of text, of which JSON makes six times as much at worst.
    private static let longest = 1 << 20

    private var buffer: [UInt8] = []
    private var start = 0
    /// How far the buffer was looked through for the end of a line.
    private var seen = 0
    private var event = Event()
    private var hasData = false

    mutating func append(_ bytes: some Collection<UInt8>) {
        if start > 0 {
            buffer.removeSubrange(0..<start)
            seen -= start
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    mutating func next() throws -> Event? {
        while let end = buffer[seen...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = buffer[start..<end]
            start = end + 1
            seen = start
            if line.isEmpty {
                defer { (event, hasData) = (Event(), false) }
                if hasData { return event }
            } else {
                take(line)
            }
            guard event.data.count <= EventStreamDecoder.longest else { throw Damage() }
        }
        seen = buffer.count
        guard buffer.count - start <= EventStreamDecoder.longest else { throw Damage() }
        return nil
    }

    private mutating func take(_ line: ArraySlice<UInt8>) {
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
        var value = line[colon...].dropFirst()
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        switch String(decoding: line[..<colon], as: UTF8.self) {
        case "event": event.name = String(decoding: value, as: UTF8.self)
        case "data":
            if hasData { event.data.append(UInt8(ascii: "\n")) }
            event.data.append(contentsOf: value)
            hasData = true
        default: break
        }
    }
}
