import ControlPlane
import Foundation
import MagsModel
import NodeWire
import Store
import Synchronization
import Testing

@testable import HTTPServer

@Suite("A call that waits for a command")
struct ExecWaitTests {
    private static func start(_ server: ServerFixture) async throws -> JobID {
        let job = try await server.submit()
        server.it.node.run(job)
        while try await server.it.store.job(job)?.state != .running { await Task.yield() }
        return job
    }

    private static func command(on node: SmallNode) async -> String? {
        let start = await node.received { if case .start(let sent) = $0 { sent.inside != nil } else { false } }
        guard case .start(let sent) = start else { return nil }
        return sent.id.text
    }

    private static func expectUnknown(_ reply: Wire.Reply, _ exec: String?) throws {
        let json = try reply.json()
        #expect((reply.status, json["code"] as? String) == (502, "exec_unknown"))
        #expect(json["retryable"] as? Bool == false)
        #expect(reply.headers["retry-after"] == nil)
        #expect((json["error"] as? String)?.contains(try #require(exec)) == true)
        #expect((json["hint"] as? String)?.contains("execs/\(try #require(exec))") == true)
    }

    @Test("is not told to try again when the server stops under a command that was started")
    func serverStops() async throws {
        try await ServerFixture.with { server in
            let job = try await ExecWaitTests.start(server)
            async let reply = server.call("POST", "/api/v1/mags-jobs/\(job)/exec", body: #"{"command":"wait"}"#)
            let exec = await ExecWaitTests.command(on: server.it.node)
            server.it.control.close()
            try ExecWaitTests.expectUnknown(try await reply, exec)
        }
    }

    @Test("ends some time after the command's, also when all output has come and only the end is missing")
    func deadline() async throws {
        let store = FullStore()
        let node = SmallNode { node, sent in
            guard sent.inside != nil else { return }
            store.fill()
            node.write(sent.id, "all")
            node.end(sent.id)
        }
        try await ServerFixture.with(store: store, node: node) {
            $0.port = 0
            // So that nobody waits for long here.
            $0.execPatience = .milliseconds(-900)
        } _: { server in
            let job = try await ExecWaitTests.start(server)
            let reply = try await server.call(
                "POST", "/api/v1/mags-jobs/\(job)/exec", body: #"{"command":"ls","timeout":1}"#)
            try ExecWaitTests.expectUnknown(reply, await ExecWaitTests.command(on: node))
            store.free()
        }
    }

    @Test("gives its reader's place back when its client leaves, and lets the command go on")
    func leaves() async throws {
        let folder = NSTemporaryDirectory() + "mags-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await ServerFixture.with {
            $0.unixSocketPath = "\(folder)/api.sock"
            $0.heartbeat = .milliseconds(20)
        } _: { server in
            let job = try await ExecWaitTests.start(server)
            try await Wire.with(server.address) { wire in
                try await wire.request(
                    "POST", "/api/v1/mags-jobs/\(job)/exec", token: server.token,
                    body: Array(#"{"command":"wait","timeout":600}"#.utf8))
                _ = await ExecWaitTests.command(on: server.it.node)
            }
            _ = await server.it.node.received { if case .unfollow = $0 { true } else { false } }
            #expect(server.it.node.state.withLock { $0.jobs.values.allSatisfy { $0.outcome == nil } })
        }
    }
}
