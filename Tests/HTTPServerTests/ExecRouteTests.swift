import ControlPlane
import Foundation
import MagsAPI
import MagsModel
import NodeWire
import Store
import Synchronization
import Testing

@testable import HTTPServer

@Suite("The API's exec routes")
struct ExecRouteTests {
    /// A node whose commands end at once, in the way that their text says.
    static func node() -> SmallNode {
        SmallNode { node, sent in
            guard sent.inside != nil, sent.script != "wait" else { return }
            if sent.script == "refuse" {
                return node.end(
                    sent.id, JobOutcome(cause: .failed, code: "machine_not_running", message: "It is gone."))
            }
            node.run(sent.id)
            switch sent.script {
            case "late": node.end(sent.id, JobOutcome(cause: .timedOut))
            case "long":
                for _ in 0..<6 { node.write(sent.id, .stdout, [UInt8](repeating: 120, count: 1 << 20)) }
                node.end(sent.id)
            default:
                node.write(sent.id, .stdout, Array("out ü".utf8) + [255])
                node.write(sent.id, .stderr, "err")
                node.end(sent.id, JobOutcome(cause: .exited, exitCode: 3))
            }
        }
    }

    /// A server and the path of a job that runs.
    private static func with(
        version: String = "v1", _ body: @escaping @Sendable (ServerFixture, String, JobID) async throws -> Void
    ) async throws {
        try await ServerFixture.with(node: node()) { server in
            let id = try await server.submit(#"{"script":"sleep infinity","name":"a b"}"#)
            server.it.node.run(id)
            while try await server.it.store.job(id)?.state != .running { await Task.yield() }
            try await body(server, "/api/\(version)/mags-jobs/a%20b", id)
        }
    }

    @Test("run a command, wait for its end, and answer with all that it wrote", arguments: ["v1", "v2"])
    func whole(version: String) async throws {
        try await ExecRouteTests.with(version: version) { server, job, _ in
            let reply = try await server.call("POST", "\(job)/exec", body: #"{"command":"ls","timeout":5}"#)
            #expect(reply.status == 200)
            let json = try reply.json()
            #expect(json["exit_code"] as? Int == 3)
            #expect(json["stdout"] as? String == "out ü\u{FFFD}")
            #expect(json["stderr"] as? String == "err")
            #expect((json["truncated"] as? Bool, json["timed_out"] as? Bool) == (false, false))
        }
    }

    @Test("answer for a command whose time was up with 124, and give it 30 s by default")
    func timedOut() async throws {
        try await ExecRouteTests.with { server, job, _ in
            let reply = try await server.call("POST", "\(job)/exec", body: #"{"command":"late"}"#)
            #expect(reply.status == 200)
            #expect(try reply.json()["exit_code"] as? Int == 124)
            #expect(try reply.json()["timed_out"] as? Bool == true)
            let sent = server.it.node.state.withLock { state in state.jobs.values.first { $0.assignment.inside != nil }
            }
            #expect(sent?.assignment.timeoutSeconds == 30)
        }
    }

    @Test("cap each stream of an answer at 4 MiB, and say so; the whole of it stays there")
    func truncated() async throws {
        try await ExecRouteTests.with { server, job, _ in
            let json = try await server.call("POST", "\(job)/exec", body: #"{"command":"long"}"#).json()
            #expect((json["stdout"] as? String)?.utf8.count == 4 << 20)
            #expect(json["truncated"] as? Bool == true)
            let exec = try #require(json["exec_id"] as? String)
            #expect(try await server.call("GET", "\(job)/execs/\(exec)/output").body.count == 6 << 20)
        }
    }

    @Test("start a command that is looked at, followed and stopped by its id")
    func resource() async throws {
        try await ExecRouteTests.with { server, job, id in
            let reply = try await server.call("POST", "\(job)/execs", body: #"{"command":"wait","cwd":"/tmp"}"#)
            #expect(reply.status == 202)
            let exec = try #require(try reply.json()["exec_id"] as? String)
            let path = "\(job)/execs/\(exec)"
            let pending = try await server.get(ExecStatus.self, path)
            #expect(
                (pending.requestID, pending.status, pending.outcome, pending.timeout) == (
                    id.text, "pending", nil, 86400
                ))
            let node = server.it.node
            let name = try #require(JobID(exec))
            node.run(name)
            node.write(name, "0123")
            node.write(name, .stderr, [0, 255])
            let stopped = try await server.call("POST", "\(path)/stop")
            #expect(try stopped.json()["error_code"] as? String == "stopped")
            let ended = try await server.get(ExecStatus.self, path)
            #expect((ended.status, ended.outcome, ended.exitCode) == ("ended", "ran", nil))
            #expect(ended.startedAt == "2023-11-14T22:13:20.000Z")
            #expect(try await server.call("GET", "\(path)/output?offset=2").text == "23")
            #expect(try await server.call("GET", "\(path)/output?stream=stderr&follow=1").body == [0, 255])
            let framed = try await server.call(
                "GET", "\(path)/output?follow=1&stdout=3", headers: ["Accept: \(OutputFrame.mediaType)"])
            var decoder = OutputFrameDecoder()
            decoder.append(framed.body)
            var frames: [OutputFrame] = []
            while let frame = try decoder.next() { frames.append(frame) }
            #expect(frames.map(\.kind) == [.stdout, .stderr, .end])
            #expect(frames.first?.payload == Array("3".utf8))
            let last = try JSONDecoder().decode(ExecStatus.self, from: Data(frames.last?.payload ?? []))
            #expect(last == ended)
        }
    }

    @Test("answer the same request under the same key with the same command")
    func keys() async throws {
        try await ExecRouteTests.with { server, job, _ in
            func call(_ what: String, _ command: String) async throws -> Wire.Reply {
                try await server.call(
                    "POST", "\(job)/\(what)", headers: ["Idempotency-Key: k"],
                    body: #"{"command":"\#(command)","timeout":30}"#)
            }
            let first = try await call("execs", "ls").json()["exec_id"] as? String
            #expect(try await call("execs", "ls").json()["exec_id"] as? String == first)
            let whole = try await call("exec", "ls").json()
            #expect(whole["exec_id"] as? String == first)
            #expect((whole["stderr"] as? String, whole["exit_code"] as? Int) == ("err", 3))
            #expect(try await call("execs", "rm").status == 409)
        }
    }

    @Test("refuse what they cannot do yet, and what cannot run, and say why")
    func refusals() async throws {
        try await ExecRouteTests.with { server, job, id in
            func code(_ path: String, _ body: String) async throws -> (Int, String?) {
                let reply = try await server.call("POST", path, body: body)
                return (reply.status, try reply.json()["code"] as? String)
            }
            for what in ["exec", "execs"] {
                let path = "\(job)/\(what)"
                #expect(try await code(path, #"{"command":"cat","stdin":"x"}"#) == (400, "not_available_yet"))
                #expect(try await code(path, #"{"command":"top","tty":true}"#) == (400, "not_available_yet"))
                #expect(try await code(path, #"{"command":" "}"#) == (400, "invalid_field"))
                #expect(try await code(path, #"{"comand":"ls"}"#) == (400, "unknown_field"))
                #expect(
                    try await code("/api/v1/mags-jobs/none/\(what)", #"{"command":"ls"}"#) == (404, "job_not_found"))
            }
            #expect(try await code("\(job)/exec?stream=1", #"{"command":"ls"}"#) == (400, "not_available_yet"))
            #expect(try await code("\(job)/exec", #"{"command":"refuse"}"#) == (409, "machine_not_running"))
            #expect(try await server.call("GET", "\(job)/execs/\(id)").status == 404)
            #expect(try await server.call("GET", "\(job)/execs/x/output").status == 404)
            #expect(try await server.call("POST", "\(job)/execs/x/stop").status == 404)
            server.it.node.end(id)
            _ = try await server.it.control.jobs.ended(id)
            let late = try await server.call("POST", "\(job)/exec", body: #"{"command":"ls"}"#)
            #expect((late.status, try late.json()["code"] as? String) == (409, "machine_not_running"))
            #expect(try (late.json()["error"] as? String)?.contains("not running") == true)
        }
    }
}
