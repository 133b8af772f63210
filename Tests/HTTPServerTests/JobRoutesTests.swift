import ControlPlane
import Foundation
import HTTPServer
import MagsAPI
import MagsModel
import NodeWire
import Store
import StoreSQLite
import Synchronization
import Testing

@Suite("The API's job routes")
struct JobRoutesTests {
    @Test("take a job from its submission to its end", arguments: ["v1", "v2"])
    func life(version: String) async throws {
        try await ServerFixture.with { server in
            let jobs = "/api/\(version)/mags-jobs"
            let reply = try await server.call(
                "POST", jobs,
                body: #"""
                    {"script":"make test","type":"inline","name":"nightly","workspace_id":"shop","persistent":false,
                     "startup_command":null,"environment":{"STAGE":"ci"},"vcpus":2,"memory_mb":700,"disk_gb":3,"timeout":60}
                    """#)
            #expect(reply.status == 202)
            let json = try reply.json()
            #expect(Set(json.keys) == ["request_id", "status", "message"])
            #expect(json["status"] as? String == "accepted")
            let id = try #require(JobID(json["request_id"] as? String ?? ""))
            let pending = try await server.get(JobStatus.self, "\(jobs)/nightly/status")
            #expect(pending.requestID == id.text)
            #expect((pending.status, pending.vmID) == ("pending", nil))
            #expect((pending.vcpus, pending.memoryMB, pending.diskGB, pending.timeout) == (2, 1024, 3, 60))
            server.it.node.run(id)
            server.it.node.end(id, JobOutcome(cause: .exited, exitCode: 2, durationMilliseconds: 41))
            _ = try await server.it.control.jobs.ended(id)
            let ended = try await server.get(JobStatus.self, "\(jobs)/shop/status")
            #expect((ended.status, ended.exitCode, ended.scriptDurationMS) == ("error", 2, 41))
            #expect((ended.vmStatus, ended.startedAt) == ("stopped", "2023-11-14T22:13:20.000Z"))
            #expect(ended.subdomain.count == 12)
            #expect(try await !server.call("GET", "\(jobs)/\(id)/status").text.contains("ci"))
        }
    }

    @Test(
        "say of a job that the last of its output is missing, however it ended",
        arguments: [
            (JobOutcome.Cause.exited, 0, "completed", "The last of", "output_not_kept"),
            (.exited, 3, "error", "The last of", "output_not_kept"),
            (.stopped, 143, "stopped", "The last of", "output_not_kept"),
            (.timedOut, 124, "error", "The script timed out after 60 s. The last of", "timed_out"),
        ])
    func outputLoss(cause: JobOutcome.Cause, exitCode: Int, state: String, words: String, code: String) async throws {
        try await ServerFixture.with { server in
            let id = try await server.submit(#"{"script":"echo","timeout":60}"#)
            var outcome = JobOutcome(cause: cause, exitCode: exitCode)
            outcome.addOutputLoss(Problem(507, "output_not_kept", "no room"))
            server.it.node.run(id)
            server.it.node.end(id, outcome)
            _ = try await server.it.control.jobs.ended(id)
            let status = try await server.get(JobStatus.self, "/api/v1/mags-jobs/\(id)/status")
            #expect((status.status, status.exitCode, status.errorCode) == (state, exitCode, code))
            #expect(status.error?.hasPrefix(words) == true, "\(status.error ?? "nothing")")
            #expect(status.error?.contains("could not be kept (") == true)
        }
    }

    @Test("list the newest first, in pages, filtered")
    func lists() async throws {
        try await ServerFixture.with { server in
            for name in ["a", "b", "a"] { _ = try await server.submit(#"{"script":"echo","name":"\#(name)"}"#) }
            let page = try await server.get(JobList.self, "/api/v1/mags-jobs?page=2&page_size=2")
            #expect((page.jobs.map(\.name), page.total, page.page, page.pageSize) == (["a"], 3, 2, 2))
            let filtered = try await server.get(JobList.self, "/api/v1/mags-jobs?name=a&status=pending")
            #expect(filtered.total == 2)
            _ = try await server.submit(#"{"script":"echo","name":"a+b c"}"#)
            #expect(try await server.get(JobList.self, "/api/v1/mags-jobs?name=a%2Bb+c").total == 1)
            for query in ["page=0", "page_size=101", "page_size=x", "status=asleep", "page=99999999999999999999"] {
                let reply = try await server.call("GET", "/api/v1/mags-jobs?\(query)")
                #expect(reply.status == 400, "\(query)")
            }
        }
    }

    @Test("stop a job, named any way, with an empty body and a JSON content type")
    func stops() async throws {
        try await ServerFixture.with { server in
            let id = try await server.submit(#"{"script":"sleep infinity","name":"a b"}"#)
            server.it.node.run(id)
            for _ in 0..<2 {
                let reply = try await server.call(
                    "POST", "/api/v1/mags-jobs/a%20b/stop", headers: ["Content-Type: application/json"], body: "")
                #expect(reply.status == 200)
                #expect(try reply.json()["success"] as? Bool == true)
                #expect(try reply.json()["status"] as? String == "stopped")
            }
            #expect(try await server.call("POST", "/api/v1/mags-jobs/nope/stop").status == 404)
        }
    }

    @Test("update nothing where there is nothing to update, and say so")
    func updates() async throws {
        try await ServerFixture.with { server in
            let id = try await server.submit()
            let path = "/api/v1/mags-jobs/\(id)"
            for body in [nil, "", "{}", #"{"no_sleep":false}"#] {
                #expect(try await server.call("PATCH", path, body: body).status == 200)
            }
            for body in [#"{"no_sleep":true}"#, #"{"startup_command":"x"}"#] {
                #expect(
                    try await server.call("PATCH", path, body: body).json()["code"] as? String == "not_available_yet")
            }
            #expect(try await server.call("PATCH", "/api/v1/mags-jobs/nope", body: "{}").status == 404)
        }
    }

    static let refused: [(String, String)] = [
        ("", "invalid_json"), ("{", "invalid_json"), ("[]", "invalid_json"), ("null", "invalid_json"),
        ("\u{FF}", "invalid_json"), ("{}", "missing_field"), (#"{"type":"inline"}"#, "missing_field"),
        (#"{"script":1}"#, "invalid_field"), (#"{"script":null}"#, "invalid_field"),
        (#"{"script":["a"]}"#, "invalid_field"), (#"{"script":""}"#, "invalid_field"),
        (#"{"script":"a\u0000"}"#, "invalid_field"), (#"{"script":"a","type":"x"}"#, "invalid_field"),
        (#"{"script":"a","name":5}"#, "invalid_field"), (#"{"script":"a","persistent":"yes"}"#, "invalid_field"),
        (#"{"script":"a","persistent":1}"#, "invalid_field"),
        (#"{"script":"a","persistent":true}"#, "not_available_yet"),
        (#"{"script":"a","disk_gb":0}"#, "invalid_field"), (#"{"script":"a","timeout":1.5}"#, "invalid_field"),
        (#"{"script":"a","timeout":"60"}"#, "invalid_field"), (#"{"script":"a","timeout":1e99}"#, "invalid_field"),
        (#"{"script":"a","environment":[]}"#, "invalid_field"),
        (#"{"script":"a","environment":{"A":1}}"#, "invalid_field"),
        (#"{"script":"a","file_ids":"f"}"#, "invalid_field"), (#"{"script":"a","file_ids":[1]}"#, "invalid_field"),
        (#"{"script":"a","file_ids":["file-x"]}"#, "unknown_file"),
        (#"{"script":"a","workspaceid":"w"}"#, "unknown_field"), (#"{"script":"a","ephemeral":true}"#, "unknown_field"),
        (String(repeating: "[", count: 100_000), "invalid_json"),
        (#"{"script":"http://127.0.0.1:1/x","type":"url"}"#, "script_address_forbidden"),
    ]

    @Test("answer what is wrong with 400, a stable word and a sentence, and live on")
    func refuses() async throws {
        try await ServerFixture.with { server in
            for (body, code) in JobRoutesTests.refused {
                let bytes = body == "\u{FF}" ? [0xFF] : Array(body.utf8)
                let reply = try await Wire.with(server.address) { wire in
                    try await wire.request("POST", "/api/v1/mags-jobs", token: server.token, body: bytes)
                    return try await wire.reply()
                }
                let error = try JSONDecoder().decode(ErrorReply.self, from: Data(reply.body))
                #expect(reply.status == 400, "\(body.prefix(80))")
                #expect(error.code == code, "\(body.prefix(80)): \(error.error)")
                #expect(!error.error.isEmpty && !error.requestID.isEmpty)
            }
            let hint = try await server.call("POST", "/api/v1/mags-jobs", body: #"{"script":"a","workspaceid":"w"}"#)
            #expect(try hint.json()["hint"] as? String == "Did you mean workspace_id?")
            #expect(try await server.get(JobList.self, "/api/v1/mags-jobs").total == 0)
            _ = try await server.submit()
        }
    }

    @Test("refuse a job beyond 10,000 that wait, and take one again when there is room")
    func pending() async throws {
        let store = MemoryStore()
        var first: JobID?
        for _ in 0..<Limits.pendingJobs {
            let id = JobID.random()
            first = first ?? id
            try await store.insert(
                JobRecord(id: id, owner: .administrator, name: "n", createdAt: 1), JobPayload(script: "x"))
        }
        let oldest = try #require(first)
        try await ServerFixture.with(store: store) { server in
            let reply = try await server.call("POST", "/api/v1/mags-jobs", body: #"{"script":"echo"}"#)
            #expect(reply.status == 429)
            #expect(reply.headers["retry-after"] != nil)
            #expect(try reply.json()["retryable"] as? Bool == true)
            _ = await server.it.node.received { if case .start(let job) = $0 { job.id == oldest } else { false } }
            server.it.node.end(oldest)
            _ = try await server.it.control.jobs.ended(oldest)
            _ = try await server.submit()
        }
    }

    @Test("work over a Unix socket and SQLite too")
    func socket() async throws {
        let folder = "\(NSTemporaryDirectory())/mags-http-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let store = try SQLiteStore(path: "\(folder)/store.sqlite")
        try await ServerFixture.with(store: store) {
            $0.port = nil
            $0.unixSocketPath = "\(folder)/api.sock"
        } _: { server in
            let id = try await server.submit()
            server.it.node.run(id)
            server.it.node.end(id)
            _ = try await server.it.control.jobs.ended(id)
            #expect(try await server.get(JobStatus.self, "/api/v1/mags-jobs/\(id)/status").status == "completed")
        }
    }
}
