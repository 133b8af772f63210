import Foundation
package import NIOCore
import NIOHTTP1
import Synchronization

/// A Mags server without machines: every job plays the part that the test wrote for its script.
///
/// It speaks the wire of the API in its own words, so that a slip in the shared types shows.
package final class MagsDouble: Sendable {
    package struct Part: Sendable {
        /// Kind and payload: 1 is standard output, 2 standard error, 3 what the platform says, 4 that output is missing.
        package var frames: [(kind: UInt8, payload: [UInt8])]
        package var status: [String: any Sendable]
        /// For each connection to the output in turn, where it is cut; behind the last one all are whole.
        package var cuts: [Int] = []
        package var hasEnd = true
        /// How many of the first connections end with the server's word that it is being stopped.
        package var stops = 0
        /// Frames without bytes are sent too: signs of life.
        package var sendsSilence = false
        /// The most entries that one document has; nil: as many as there are.
        package var listLimit: Int?
        /// The name and the id of each further job in the list of jobs.
        package var others: [(name: String, id: String)] = []

        package init(
            _ frames: [(kind: UInt8, payload: [UInt8])] = [], status: [String: any Sendable] = [:], cuts: [Int] = [],
            hasEnd: Bool = true
        ) {
            self.frames = frames
            self.status = status
            self.cuts = cuts
            self.hasEnd = hasEnd
        }

        package static func prints(_ text: String) -> Part { Part([(1, Array(text.utf8))]) }

        /// All frames behind the given bytes of each stream, and the closing one with this status.
        package func stream(skipping counts: [UInt8: Int] = [:], status: [String: any Sendable]) -> [UInt8] {
            var skip = counts
            var bytes: [UInt8] = []
            for (kind, payload) in frames {
                if kind == 4 {
                    let (stream, count) = Part.missing(payload)
                    if (skip[stream] ?? 0) >= count { skip[stream]? &-= count } else { bytes += Part.frame(4, payload) }
                    continue
                }
                let skipped = min(skip[kind] ?? 0, payload.count)
                skip[kind]? -= skipped
                if skipped < payload.count || sendsSilence && payload.isEmpty {
                    bytes += Part.frame(kind, Array(payload[skipped...]))
                }
            }
            return hasEnd ? bytes + Part.frame(0, json(status)) : bytes
        }

        /// The stream that a frame of kind 4 speaks of, and how many bytes of it.
        private static func missing(_ payload: [UInt8]) -> (UInt8, Int) {
            let fields = try? JSONSerialization.jsonObject(with: Data(payload)) as? [String: Any]
            return (fields?["stream"] as? String == "stderr" ? 2 : 1, fields?["bytes"] as? Int ?? 0)
        }

        /// All entries behind a number as server-sent events, and the closing one.
        package func events(after: Int, job: String) -> [UInt8] {
            var text = ": following\n\n"
            for (index, entry) in entries.enumerated().dropFirst(after) {
                text += "id: \(index + 1)\ndata: \(String(decoding: json(entry), as: UTF8.self))\n\n"
            }
            let status = String(decoding: json(fullStatus(job)), as: UTF8.self)
            return Array((text + (hasEnd ? "event: end\ndata: \(status)\n\n" : "")).utf8)
        }

        /// All entries behind a number as one document.
        package func list(after: Int) -> [UInt8] {
            let rest = Array(entries.dropFirst(after))
            guard let listLimit, rest.count > listLimit else { return json(["logs": rest]) }
            return json(
                ["logs": Array(rest.prefix(listLimit)), "next_after": after + listLimit] as [String: any Sendable])
        }

        var entries: [[String: any Sendable]] {
            frames.enumerated().map { index, frame in
                [
                    "seq": index + 1, "timestamp": "2026-02-11T09:30:01Z", "level": "info",
                    "stream": ["", "stdout", "stderr", "system", "system"][Int(frame.kind)],
                    "message": frame.kind == 4
                        ? Part.words(frame.payload) : String(decoding: frame.payload, as: UTF8.self),
                ]
            }
        }

        /// Of a frame of kind 4, as the log has it.
        private static func words(_ payload: [UInt8]) -> String {
            let (stream, count) = missing(payload)
            let name = stream == 2 ? "error" : "output"
            return "\(count) bytes of standard \(name) are missing here: the log keeps 64 MiB."
        }

        fileprivate static func frame(_ kind: UInt8, _ payload: [UInt8]) -> [UInt8] {
            let count = payload.count
            return [kind, UInt8(count & 255), UInt8(count >> 8 & 255), UInt8(count >> 16 & 255), UInt8(count >> 24)]
                + payload
        }

        package func execStatus(_ state: String = "ended") -> [String: any Sendable] {
            [
                "exec_id": MagsDouble.exec, "request_id": MagsDouble.job, "status": state, "outcome": "ran",
                "exit_code": 0, "timed_out": false, "created_at": "2026-02-11T09:30:00Z", "timeout": 60,
            ].merging(status) { $1 }.filter { !($0.value is NSNull) }
        }

        package func fullStatus(_ job: String) -> [String: any Sendable] {
            [
                "request_id": job, "name": "a name", "status": "completed", "script_status": "completed",
                "subdomain": "0d5b0c527a1e", "exit_code": 0, "created_at": "2026-02-11T09:30:00Z",
                "persistent": false, "no_sleep": false, "timeout": 60, "vcpus": 1, "memory_mb": 1024,
            ].merging(status) { $1 }.filter { !($0.value is NSNull) }
        }
    }

    package static let exec = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
    package static let token = "a-good-token"
    package static let job = "0d5b0c52-7a1e-4a53-9a0c-5f6f1c0b6a11"

    package let server: HTTPDouble
    package let url: String
    private let address: SocketAddress

    private init(server: HTTPDouble, address: SocketAddress) {
        self.server = server
        self.address = address
        url = address.pathname.map { "unix:\($0)" } ?? "http://127.0.0.1:\(address.port ?? 0)"
    }

    package static func start(
        _ part: Part = Part(), at address: SocketAddress? = nil,
        refusing: [(status: Int, headers: [String: String], body: String)] = []
    ) async throws -> MagsDouble {
        let stage = Stage(part, refusing)
        let server = HTTPDouble { stage.answer($0) }
        let bound = try await server.listen(at: try address ?? SocketAddress(ipAddress: "127.0.0.1", port: 0))
        return MagsDouble(server: server, address: bound)
    }

    /// Listens again where it listened before it was stopped.
    package func resume() async throws { try await server.listen(at: address) }

    /// The fields of the submission that came last.
    package var submission: [String: Any]? {
        let request = server.requests.last { $0.method == .POST && $0.path == "/api/v1/mags-jobs" }
        return request.flatMap { try? JSONSerialization.jsonObject(with: Data($0.body)) as? [String: Any] }
    }

    /// The fields of the command that was started last.
    package var command: [String: Any]? {
        commands.last.flatMap { try? JSONSerialization.jsonObject(with: Data($0.body)) as? [String: Any] }
    }

    /// Under which keys commands were started.
    package var commandKeys: [String?] { commands.map { $0.headers.first(name: "Idempotency-Key") } }

    private var commands: [HTTPDouble.Request] {
        server.requests.filter { $0.method == .POST && $0.path.hasSuffix("/execs") }
    }

    package func count(_ method: String, _ path: String) -> Int {
        server.requests.count { $0.method.rawValue == method && $0.path == path }
    }
}

/// What the double answers, and how often it was cut.
private final class Stage: Sendable {
    private struct State {
        var connections = 0
        var refusals: [(status: Int, headers: [String: String], body: String)]
    }

    private let part: MagsDouble.Part
    private let state: Mutex<State>

    init(_ part: MagsDouble.Part, _ refusals: [(status: Int, headers: [String: String], body: String)]) {
        self.part = part
        state = Mutex(State(refusals: refusals))
    }

    func answer(_ request: HTTPDouble.Request) -> HTTPDouble.Reply {
        if request.path == "/health" { return reply(["status": "ok", "version": "9.9.9"]) }
        let refusal = state.withLock { $0.refusals.isEmpty ? nil : $0.refusals.removeFirst() }
        if let refusal {
            var reply = HTTPDouble.Reply(status: refusal.status, body: Array(refusal.body.utf8))
            for (name, value) in refusal.headers { reply.headers.replaceOrAdd(name: name, value: value) }
            return reply
        }
        guard request.headers.first(name: "Authorization") == "Bearer \(MagsDouble.token)" else {
            return problem(401, "unauthorized", "API token required")
        }
        let parts = request.path.split(separator: "/").map(String.init)
        switch (request.method, parts.dropFirst(2).joined(separator: "/")) {
        case (.POST, "mags-jobs"):
            return reply(["request_id": MagsDouble.job, "status": "accepted", "message": "taken"], status: 202)
        case (.GET, "mags-jobs"):
            let others = part.others.map { other in part.fullStatus(other.id).merging(["name": other.name]) { $1 } }
            let jobs = [part.fullStatus(MagsDouble.job)] + others
            return reply(["jobs": jobs, "total": jobs.count, "page": 1, "page_size": 20] as [String: any Sendable])
        case (.POST, "mags-files"):
            return reply(["file_id": "file-7", "name": "f", "size": request.body.count])
        case (.GET, "whoami"):
            return reply(["name": "ada", "organisation": "default", "token_name": "first"])
        case (.GET, "doctor"):
            return reply(["findings": [["grade": "weaker", "subject": "accelerator", "text": "tcg", "remedy": "kvm"]]])
        default: return ofJob(request, parts)
        }
    }

    private func ofJob(_ request: HTTPDouble.Request, _ parts: [String]) -> HTTPDouble.Reply {
        guard parts.count >= 5, parts[2] == "mags-jobs", [MagsDouble.job, "a%20name"].contains(parts[3]) else {
            return problem(404, "not_found", "job not found")
        }
        switch parts.dropFirst(4).joined(separator: "/") {
        case "execs": return reply(part.execStatus("pending"), status: 202)
        case "execs/\(MagsDouble.exec)": return reply(part.execStatus())
        case "execs/\(MagsDouble.exec)/stop": return reply(part.execStatus())
        case "execs/\(MagsDouble.exec)/output": return output(request, ended: part.execStatus())
        case "status": return reply(part.fullStatus(MagsDouble.job))
        case "stop": return reply(["success": true, "status": "stopped"])
        case "logs":
            let after = Int(request.query["after"] ?? "0") ?? 0
            if request.query["follow"] == "1" {
                let stop = Array("event: error\ndata: \(String(decoding: json(Stage.stop), as: UTF8.self))\n\n".utf8)
                return stream("text/event-stream", lastWord: stop) { $0.events(after: after, job: MagsDouble.job) }
            }
            return stream("application/json") { $0.list(after: after) }
        case "output": return output(request, ended: part.fullStatus(MagsDouble.job))
        default: return problem(404, "not_found", "no such path")
        }
    }

    private func output(_ request: HTTPDouble.Request, ended: [String: any Sendable]) -> HTTPDouble.Reply {
        guard request.headers.first(name: "Accept") == "application/vnd.mags.output" else {
            return problem(406, "not_acceptable", "frames only")
        }
        func count(_ name: String) -> Int { Int(request.query[name] ?? "0") ?? 0 }
        let known: [UInt8: Int] = [1: count("stdout"), 2: count("stderr"), 3: count("system")]
        return stream("application/vnd.mags.output", lastWord: MagsDouble.Part.frame(5, json(Stage.stop))) {
            $0.stream(skipping: known, status: ended)
        }
    }

    private static let stop: [String: any Sendable] = [
        "error": "The server is being stopped.", "code": "server_stopped", "request_id": "r-1", "retryable": true,
    ]

    /// Cut off as the part says.
    ///
    /// - Parameter lastWord: what a server that is being stopped ends it with.
    private func stream(
        _ type: String, lastWord: [UInt8] = [], _ body: (MagsDouble.Part) -> [UInt8]
    ) -> HTTPDouble.Reply {
        let number = state.withLock { state in
            defer { state.connections += 1 }
            return state.connections
        }
        let ending: HTTPDouble.Reply.Ending =
            number < part.cuts.count ? .cut(after: part.cuts[number]) : part.hasEnd ? .complete : .never
        var part = part
        part.hasEnd = part.hasEnd && number >= part.stops
        let isStopped = number < part.stops
        var reply = HTTPDouble.Reply(
            body: body(part) + (isStopped ? lastWord : []), ending: isStopped ? .complete : ending)
        reply.headers.replaceOrAdd(name: "Content-Type", value: type)
        return reply
    }

    private func reply(_ value: [String: any Sendable], status: Int = 200) -> HTTPDouble.Reply {
        HTTPDouble.Reply(status: status, body: json(value))
    }

    private func problem(_ status: Int, _ code: String, _ text: String) -> HTTPDouble.Reply {
        reply(["error": text, "code": code, "request_id": "r-1", "retryable": false], status: status)
    }
}

private func json(_ value: [String: any Sendable]) -> [UInt8] {
    (try? JSONSerialization.data(withJSONObject: value)).map(Array.init) ?? []
}
