import ControlPlane
import HTTPTypes
import Hummingbird
import MagsAPI
import MagsModel
import NIOCore
import NodeWire
import Store

extension Call {
    /// `{"logs": […]}` of what there is, at most `limit` entries; `follow=1`: server-sent events until the job has ended.
    func logs() async throws -> Response {
        let query = Query(request)
        let isLive = try query.flag("follow")
        // A browser that connects again names the last event that it had.
        let last = isLive ? HTTPField.Name("Last-Event-ID").flatMap { request.headers[$0] }.flatMap { Int($0) } : nil
        let after = try query.number("after", in: 0...Int.max, default: max(0, last ?? 0))
        let limit = try query.number("limit", in: 1...rules.maximumLogEntries, default: rules.maximumLogEntries)
        let isPaged = query.text("after") != nil || query.text("limit") != nil
        let job = try await job()
        let feed = try await controlPlane.jobs.output(of: job, isLive: isLive, holder: token.id)
        guard isLive else {
            let hasEnded = job.state.isFinal
            return follow(feed, as: "application/json") { writer, _ in
                var list = LogWriter(after: after)
                try await list.writeList(feed, limit: limit, hasEnded: hasEnded, tellsOfRest: !isPaged, &writer)
            }
        }
        let jobs = controlPlane.jobs
        let lastWord: @Sendable (ErrorReply) throws -> ByteBuffer = { reply in
            ByteBuffer(
                string: "event: error\ndata: \(String(decoding: try JSONBytes.encode(reply), as: UTF8.self))\n\n")
        }
        return follow(feed, as: "text/event-stream", lastWord: lastWord) { writer, _ in
            var events = LogWriter(after: after)
            try await events.writeEvents(feed, &writer)
            if let ended = try await jobs.ended(job.id) {
                let status = String(decoding: try JSONBytes.encode(JobStatus(ended)), as: UTF8.self)
                try await writer.write(ByteBuffer(string: "event: end\ndata: \(status)\n\n"))
            }
        }
    }
}

/// Writes a job's log lines, those after a number.
private struct LogWriter: Sendable {
    /// Of one list: a job's log as JSON may be many times as large.
    static let maximumBytes = 32 << 20

    var lines = LogLines()
    let after: Int

    init(after: Int) { self.after = after }

    mutating func writeList(
        _ feed: OutputFeed, limit: Int, hasEnded: Bool, tellsOfRest: Bool, _ writer: inout any ResponseBodyWriter
    ) async throws {
        var list = LogList(after: after, limit: limit)
        reading: while let records = try await feed.next() {
            for record in records {
                for line in lines.append(record) where try !list.add(line) { break reading }
                if list.buffer.readableBytes > 32 * 1024 { try await writer.write(list.take()) }
            }
        }
        if hasEnded, list.nextAfter == nil { for line in lines.finish() where try !list.add(line) { break } }
        try await writer.write(list.end(tellsOfRest: tellsOfRest))
    }

    mutating func writeEvents(_ feed: OutputFeed, _ writer: inout any ResponseBodyWriter) async throws {
        // The head leaves at once, not with the first line.
        try await writer.write(ByteBuffer(string: ": following\n\n"))
        while let records = try await feed.next() {
            var buffer = ByteBuffer()
            for record in records { try event(lines.append(record), into: &buffer) }
            if records.isEmpty { buffer.writeString(": still here\n\n") }
            if buffer.readableBytes > 0 { try await writer.write(buffer) }
        }
        var buffer = ByteBuffer()
        try event(lines.finish(), into: &buffer)
        if buffer.readableBytes > 0 { try await writer.write(buffer) }
    }

    private mutating func event(_ new: [LogLine], into buffer: inout ByteBuffer) throws {
        for line in new where line.number > after {
            buffer.writeString("id: \(line.number)\ndata: ")
            buffer.writeBytes(try JSONBytes.encode(LogEntry(line)))
            buffer.writeString("\n\n")
        }
    }
}

/// The list as JSON, up to its limits; what it leaves out is behind `next_after`.
private struct LogList: Sendable {
    private(set) var buffer = ByteBuffer(string: "{\"logs\":[")
    /// Set once an entry did not fit.
    private(set) var nextAfter: Int?
    private let after: Int
    private let limit: Int
    private var count = 0
    private var bytes = 0
    private var last: Int
    private var lastTime: UInt64 = 0

    init(after: Int, limit: Int) {
        self.after = after
        self.limit = limit
        last = after
    }

    /// - Returns: false when no more fits.
    mutating func add(_ line: LogLine) throws -> Bool {
        guard line.number > after else { return true }
        guard count < limit, bytes < LogWriter.maximumBytes else {
            nextAfter = last
            return false
        }
        if count > 0 { buffer.writeString(",") }
        let written = buffer.writeBytes(try JSONBytes.encode(LogEntry(line)))
        count += 1
        bytes += written
        (last, lastTime) = (line.number, line.time)
        return true
    }

    mutating func take() -> ByteBuffer {
        defer { buffer = ByteBuffer() }
        return buffer
    }

    /// - Parameter tellsOfRest: whether a last entry says that some were left out: for a client that never asks for a
    ///   part, and so does not know of `next_after`. It has no number of its own.
    mutating func end(tellsOfRest: Bool) throws -> ByteBuffer {
        if tellsOfRest, let nextAfter {
            let text =
                "The log is longer than one list: \(count) entries are here. The next ones come with after=\(nextAfter)."
            buffer.writeString(",")
            let entry = LogEntry(
                seq: nextAfter, timestamp: Timestamp.text(Int64(clamping: lastTime)), level: "info", stream: "system",
                message: text)
            buffer.writeBytes(try JSONBytes.encode(entry))
        }
        buffer.writeString(nextAfter.map { "],\"next_after\":\($0)}" } ?? "]}")
        return take()
    }
}

extension LogEntry {
    fileprivate init(_ line: LogLine) {
        let stream =
            switch line.stream {
            case .stdout: "stdout"
            case .stderr: "stderr"
            case .system: "system"
            }
        self.init(
            seq: line.number, timestamp: Timestamp.text(Int64(clamping: line.time)), level: "info", stream: stream,
            message: line.text)
    }
}
