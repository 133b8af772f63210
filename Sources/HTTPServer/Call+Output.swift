import ControlPlane
import Hummingbird
import MagsAPI
import MagsModel
import NIOCore
import NodeWire
import Store

/// What has output that can be followed: a job, or an exec in one.
struct Followed: Sendable {
    /// All that there is of it, or (live) all until its end.
    let open: @Sendable (_ isLive: Bool) async throws -> OutputFeed
    /// How it stands, or (live) how it ended, as JSON; nil when it is kept no longer.
    let status: @Sendable (_ isLive: Bool) async throws -> [UInt8]?
}

extension Call {
    func jobOutput() async throws -> Response {
        try await output {
            let (jobs, job, holder) = (controlPlane.jobs, try await job(), token.id)
            return Followed {
                try await jobs.output(of: job, isLive: $0, holder: holder)
            } status: { isLive in
                try (isLive ? await jobs.ended(job.id) : job).map { try JSONBytes.encode(JobStatus($0)) }
            }
        }
    }

    /// The byte-exact output: one stream as it is, or all of them in frames for a client that asks for these.
    ///
    /// - Parameter find: looked for when the query is known to be right.
    func output(of find: () async throws -> Followed) async throws -> Response {
        let query = Query(request)
        let isLive = try query.flag("follow")
        let accepted = request.headers[.accept] ?? ""
        if accepted.contains(OutputFrame.mediaType) { return try await frames(of: find, query, isLive: isLive) }
        let stream: OutputRecord.Stream
        switch query.text("stream") {
        case nil, "stdout": stream = .stdout
        case "stderr": stream = .stderr
        default: throw Problem(400, "invalid_query", "stream must be stdout or stderr.")
        }
        let offset = UInt64(try query.number("offset", in: 0...Int.max, default: 0))
        var cursor = StreamCursor(stream: stream, offset: offset)
        let feed = try await find().open(isLive)
        // Without waiting it is known before the head leaves whether what was asked for is there.
        if !isLive { try await cursor.begin(feed) }
        return follow(feed, as: "application/octet-stream") { [cursor] writer, _ in
            var cursor = cursor
            repeat {
                if cursor.ready.readableBytes > 0 { try await writer.write(cursor.ready) }
                if let problem = cursor.problem { throw problem }
            } while try await cursor.advance(feed)
        }
    }

    private func frames(
        of find: () async throws -> Followed, _ query: Query, isLive: Bool
    ) async throws -> Response {
        let cursor = FrameCursor(
            stdout: UInt64(try query.number("stdout", in: 0...Int.max, default: 0)),
            stderr: UInt64(try query.number("stderr", in: 0...Int.max, default: 0)),
            system: UInt64(try query.number("system", in: 0...Int.max, default: 0)))
        let followed = try await find()
        let feed = try await followed.open(isLive)
        let lastWord: @Sendable (ErrorReply) throws -> ByteBuffer = { reply in
            ByteBuffer(bytes: OutputFrame(kind: .error, payload: try JSONBytes.encode(reply)).encoded())
        }
        return follow(feed, as: OutputFrame.mediaType, lastWord: lastWord) { [cursor] writer, _ in
            var cursor = cursor
            while let records = try await feed.next() {
                var buffer = try cursor.frames(of: records)
                // A frame without bytes says that the connection lives.
                if records.isEmpty { buffer.writeBytes(OutputFrame.header(kind: .system, length: 0)) }
                if buffer.readableBytes > 0 { try await writer.write(buffer) }
            }
            guard let status = try await followed.status(isLive) else { return }
            try await writer.write(ByteBuffer(bytes: OutputFrame(kind: .end, payload: status).encoded()))
        }
    }
}

/// The bytes of one stream as they are, behind an offset. A hole in them ends them.
private struct StreamCursor: Sendable {
    let stream: OutputRecord.Stream
    let offset: UInt64
    /// What came with the last step.
    private(set) var ready = ByteBuffer()
    /// Why nothing comes behind `ready`.
    private(set) var problem: Problem?
    private var holes = StreamHoles()

    init(stream: OutputRecord.Stream, offset: UInt64) {
        self.stream = stream
        self.offset = offset
    }

    /// Reads up to the first bytes, and closes the feed when they are missing.
    mutating func begin(_ feed: OutputFeed) async throws {
        do {
            while ready.readableBytes == 0, problem == nil, try await advance(feed) {}
            if let problem, ready.readableBytes == 0 { throw problem }
        } catch {
            await feed.close()
            throw error
        }
    }

    /// - Returns: false when there is no more.
    mutating func advance(_ feed: OutputFeed) async throws -> Bool {
        ready.clear()
        guard let records = try await feed.next() else { return false }
        for record in records where record.stream == stream && problem == nil {
            if let hole = holes.before(record), hole.upperBound > offset {
                let name = stream == .stderr ? "stderr" : "stdout"
                problem = Problem(
                    410, "log_limit",
                    "Bytes \(max(hole.lowerBound, offset)) to \(hole.upperBound) of \(name) are kept no longer: "
                        + "the log keeps \(Limits.logBytes >> 20) MiB.",
                    hint: "offset=\(hole.upperBound) goes on behind them.")
            } else {
                ready.writeBytes(record.bytes[behind: offset, from: record.position])
            }
        }
        return true
    }
}

/// What a client of the framed form has already of each stream.
struct FrameCursor: Sendable {
    let stdout: UInt64
    let stderr: UInt64
    let system: UInt64
    /// Of the platform's own lines, whose records carry no position.
    private var systemPosition: UInt64 = 0
    private var holes = StreamHoles()

    init(stdout: UInt64, stderr: UInt64, system: UInt64) {
        self.stdout = stdout
        self.stderr = stderr
        self.system = system
    }

    /// The frames of what the client has not.
    mutating func frames(of records: [OutputRecord]) throws -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(records.reduce(0) { $0 + $1.bytes.count + OutputFrame.headerSize })
        for record in records {
            let rest: ArraySlice<UInt8>
            let kind: OutputFrame.Kind
            if let hole = holes.before(record) { buffer.writeBytes(try skipped(hole, record.stream)) }
            switch record.stream {
            case .stdout: (kind, rest) = (.stdout, record.bytes[behind: stdout, from: record.position])
            case .stderr: (kind, rest) = (.stderr, record.bytes[behind: stderr, from: record.position])
            case .system:
                (kind, rest) = (.system, record.bytes[behind: system, from: systemPosition])
                systemPosition += UInt64(record.bytes.count)
            }
            guard !rest.isEmpty else { continue }
            buffer.writeBytes(OutputFrame.header(kind: kind, length: rest.count))
            buffer.writeBytes(rest)
        }
        return buffer
    }

    /// The frame that tells of a hole, as far as the client does not know of it.
    private func skipped(_ hole: Range<UInt64>, _ stream: OutputRecord.Stream) throws -> [UInt8] {
        let (name, known) = stream == .stderr ? ("stderr", stderr) : ("stdout", stdout)
        let first = max(hole.lowerBound, known)
        guard hole.upperBound > first else { return [] }
        let skipped = SkippedOutput(stream: name, bytes: Int(clamping: hole.upperBound - first))
        return OutputFrame(kind: .skipped, payload: try JSONBytes.encode(skipped)).encoded()
    }
}

extension [UInt8] {
    /// The bytes behind an offset of their stream, where the first of them stands at `position`.
    fileprivate subscript(behind offset: UInt64, from position: UInt64) -> ArraySlice<UInt8> {
        guard offset > position else { return self[...] }
        return dropFirst(Int(clamping: offset - position))
    }
}
