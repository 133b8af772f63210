import ControlPlane
import Foundation
import MagsAPI
import MagsModel
import NIOCore
import NodeWire
import Store
import Synchronization
import Testing

@testable import HTTPServer

@Suite("The API's streams")
struct StreamTests {
    /// Frames of a whole answer, and the status in the last one.
    private static func frames(_ bytes: [UInt8]) throws -> [OutputFrame] {
        var decoder = OutputFrameDecoder()
        decoder.append(bytes)
        var frames: [OutputFrame] = []
        while let frame = try decoder.next() { frames.append(frame) }
        return frames
    }

    private static func bytes(_ kind: OutputFrame.Kind, in frames: [OutputFrame]) -> [UInt8] {
        frames.filter { $0.kind == kind }.flatMap(\.payload)
    }

    private static let accept = ["Accept: \(OutputFrame.mediaType)"]

    @Test("send each piece of output as it comes, and the job's status in the end")
    func live() async throws {
        try await ServerFixture.with { server in
            let id = try await server.submit()
            let node = server.it.node
            try await Wire.with(server.address) { wire in
                try await wire.request(
                    "GET", "/api/v1/mags-jobs/\(id)/output?follow=1", token: server.token, headers: StreamTests.accept)
                let head = try await wire.head()
                #expect(head.status == 200)
                #expect(head.headers["content-type"] == OutputFrame.mediaType)
                var decoder = OutputFrameDecoder()
                func next() async throws -> OutputFrame? {
                    while true {
                        if let frame = try decoder.next() { return frame }
                        guard let piece = try await wire.piece() else { return nil }
                        decoder.append(piece)
                    }
                }
                node.write(id, .system, "waiting\n")
                #expect(try await next() == OutputFrame(kind: .system, payload: Array("waiting\n".utf8)))
                node.run(id)
                node.write(id, "a")
                #expect(try await next() == OutputFrame(kind: .stdout, payload: [0x61]))
                node.write(id, .stderr, [0, 255, 10])
                #expect(try await next() == OutputFrame(kind: .stderr, payload: [0, 255, 10]))
                node.end(id, JobOutcome(cause: .exited, exitCode: 7))
                let last = try #require(try await next())
                #expect(last.kind == .end)
                let status = try JSONDecoder().decode(JobStatus.self, from: Data(last.payload))
                #expect((status.status, status.exitCode) == ("error", 7))
                #expect(try await next() == nil)
            }
        }
    }

    @Test("are taken up again at any byte, framed and raw")
    func resumes() async throws {
        try await ServerFixture.with { server in
            let id = try await server.submit()
            let node = server.it.node
            for piece in ["abc", "d", "efgh"] {
                node.write(id, piece)
                node.write(id, .stderr, piece.uppercased())
                node.write(id, .system, "-\(piece)\n")
            }
            node.end(id)
            let (out, err, notes) = (Array("abcdefgh".utf8), Array("ABCDEFGH".utf8), Array("-abc\n-d\n-efgh\n".utf8))
            for count in 0...10 {
                let path = "/api/v1/mags-jobs/\(id)/output"
                let query = "follow=1&stdout=\(count)&stderr=\(10 - count)&system=\(count)"
                let framed = try await server.call("GET", "\(path)?\(query)", headers: StreamTests.accept)
                let frames = try StreamTests.frames(framed.body)
                #expect(StreamTests.bytes(.stdout, in: frames) == Array(out.dropFirst(count)))
                #expect(StreamTests.bytes(.stderr, in: frames) == Array(err.dropFirst(10 - count)))
                #expect(StreamTests.bytes(.system, in: frames) == Array(notes.dropFirst(count)))
                #expect(frames.last?.kind == .end)
                for follow in [0, 1] {
                    let raw = try await server.call("GET", "\(path)?stream=stderr&offset=\(count)&follow=\(follow)")
                    #expect(raw.body == Array(err.dropFirst(count)))
                }
            }
            for query in ["stream=x", "offset=-1", "follow=maybe"] {
                #expect(try await server.call("GET", "/api/v1/mags-jobs/\(id)/output?\(query)").status == 400)
            }
        }
    }

    @Test("say what of the output is kept no longer, and are taken up again behind it")
    func holes() async throws {
        try await ServerFixture.with { server in
            let id = try await server.submit()
            let node = server.it.node
            node.write(id, "log")
            node.write(id, .stderr, "E")
            let end = 2 * OutputRecord.headerSize + 4
            node.write(id, String(repeating: "x", count: 5000))
            node.letGo(id, behind: end)
            node.write(id, "rest")
            node.end(id)
            _ = try await server.it.control.jobs.ended(id)
            let path = "/api/v1/mags-jobs/\(id)/output"
            func framed(_ query: String) async throws -> [OutputFrame] {
                try StreamTests.frames(
                    try await server.call("GET", "\(path)?\(query)", headers: StreamTests.accept).body)
            }
            for follow in [0, 1] {
                let frames = try await framed("follow=\(follow)")
                #expect(frames.map(\.kind) == [.stdout, .stderr, .skipped, .stdout, .end])
                let skipped = try JSONDecoder().decode(SkippedOutput.self, from: Data(frames[2].payload))
                #expect(skipped == SkippedOutput(stream: "stdout", bytes: 5000))
                #expect(frames[3].payload == Array("rest".utf8))
            }
            let inside = try await framed("stdout=1003&stderr=1")
            let skipped = try JSONDecoder().decode(SkippedOutput.self, from: Data(inside[0].payload))
            #expect(skipped == SkippedOutput(stream: "stdout", bytes: 4000))
            #expect(try await framed("stdout=5005&stderr=1").map(\.payload).first == Array("st".utf8))
            // The bytes of one stream have no place for a sign: they end.
            await #expect(throws: (any Error).self) { try await server.call("GET", "\(path)?follow=1") }
            let refused = try await server.call("GET", "\(path)?offset=3")
            #expect(refused.status == 410)
            #expect(try refused.json()["code"] as? String == "log_limit")
            #expect(try refused.json()["hint"] as? String == "offset=5003 goes on behind them.")
            #expect(try await server.call("GET", "\(path)?offset=5003").text == "rest")
            #expect(try await server.call("GET", "\(path)?stream=stderr").text == "E")
            let logs = try await server.get(LogReply.self, "/api/v1/mags-jobs/\(id)/logs").logs
            #expect(logs.map(\.stream) == ["stdout", "system", "stdout", "stderr"])
            #expect(logs[1].message.hasPrefix("5000 bytes of standard output are missing here"))
        }
    }

    @Test(
        "hold the output back while the client does not read, and lose none of it",
        arguments: [nil, "Connection: close"])
    func slowReader(header: String?) async throws {
        try await ServerFixture.with(pace: .init(linger: .milliseconds(1))) { server in
            let id = try await server.submit()
            let node = server.it.node
            let piece = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try await Wire.with(server.address) { wire in
                try await wire.request(
                    "GET", "/api/v1/mags-jobs/\(id)/output?follow=1", token: server.token,
                    headers: StreamTests.accept + [header].compactMap(\.self))
                _ = try await wire.head()
                // The kernel's and the server's buffers take some of it, more on a busy host; then the rest stays with the
                // node, however much comes.
                var (pieces, held) = (0, 0)
                while held < 8 << 20, pieces < 1280 {
                    for _ in 0..<16 { node.write(id, .stdout, piece) }
                    pieces += 16
                    await Task.yield()
                    let sent = node.state.withLock { $0.followers.values.map(\.sent).max() ?? .max }
                    held = pieces * piece.count - min(sent, pieces * piece.count)
                }
                #expect(held >= 8 << 20)
                node.end(id)
                _ = try await server.it.control.jobs.ended(id)
                var decoder = OutputFrameDecoder()
                var (count, isRight) = (0, true)
                var last: OutputFrame.Kind?
                while let bytes = try await wire.piece() {
                    decoder.append(bytes)
                    while let frame = try decoder.next() {
                        last = frame.kind
                        guard frame.kind == .stdout else { continue }
                        isRight = isRight && frame.payload == piece
                        count += frame.payload.count
                    }
                }
                #expect(isRight)
                #expect(count == pieces * piece.count)
                #expect(last == .end)
            }
        }
    }

    @Test("let go of the job's output when the client leaves")
    func leaves() async throws {
        try await ServerFixture.with { server in
            let id = try await server.submit()
            for path in ["output?follow=1", "logs?follow=1"] {
                server.it.node.forgetLog()
                try await Wire.with(server.address) { wire in
                    try await wire.request(
                        "GET", "/api/v1/mags-jobs/\(id)/\(path)", token: server.token, headers: StreamTests.accept)
                    _ = await server.it.node.received { if case .follow = $0 { true } else { false } }
                }
                _ = await server.it.node.received { if case .unfollow = $0 { true } else { false } }
            }
        }
    }

    @Test("show the log as a list of what there is, from a number on")
    func logs() async throws {
        try await ServerFixture.with { server in
            let id = try await server.submit()
            let node = server.it.node
            let path = "/api/v1/mags-jobs/\(id)/logs"
            #expect(try await server.get(LogReply.self, path).logs.isEmpty)
            node.write(id, "one\ntwo \"ü\"\nhal")
            #expect(try await server.get(LogReply.self, path).logs.map(\.message) == ["one", "two \"ü\""])
            node.write(id, .stderr, "f\n")
            node.end(id)
            _ = try await server.it.control.jobs.ended(id)
            let all = try await server.get(LogReply.self, path).logs
            #expect(all.map(\.seq) == [1, 2, 3, 4])
            #expect(all.map(\.message) == ["one", "two \"ü\"", "f", "hal"])
            #expect(all.map(\.stream) == ["stdout", "stdout", "stderr", "stdout"])
            #expect(all[0].timestamp == "2023-11-14T22:13:20.000Z")
            #expect(try await server.get(LogReply.self, "\(path)?after=3").logs.map(\.seq) == [4])
        }
    }

    @Test("cut a long list of lines, and say where it goes on")
    func limitedLogs() async throws {
        try await ServerFixture.with {
            $0.port = 0
            $0.maximumLogEntries = 100
        } _: { server in
            let id = try await server.submit()
            server.it.node.write(id, .stdout, Array(String(repeating: "\n", count: 250).utf8))
            server.it.node.end(id)
            _ = try await server.it.control.jobs.ended(id)
            let path = "/api/v1/mags-jobs/\(id)/logs"
            let few = try await server.call("GET", "\(path)?limit=2&after=3").json()
            #expect((few["logs"] as? [[String: Any]])?.compactMap { $0["seq"] as? Int } == [4, 5])
            #expect(few["next_after"] as? Int == 5)
            let last = try await server.call("GET", "\(path)?limit=2&after=248").json()
            #expect((last["logs"] as? [[String: Any]])?.count == 2)
            #expect(Set(last.keys) == ["logs"])
            let most = try await server.call("GET", "\(path)?after=0").json()
            #expect((most["logs"] as? [[String: Any]])?.count == 100)
            #expect(most["next_after"] as? Int == 100)
            // A client that asks for all, as the published ones do, is told in the list itself.
            let all = try await server.get(LogReply.self, path)
            #expect(all.logs.count == 101)
            #expect(all.nextAfter == 100)
            #expect(all.logs.last?.stream == "system")
            #expect(all.logs.last?.message.contains("after=100") == true)
            #expect(all.logs.dropLast().allSatisfy { $0.stream == "stdout" })
            #expect(try await server.call("GET", "\(path)?limit=101").status == 400)
        }
    }

    @Test("follow the log as server-sent events, resumed by number, with a heartbeat in between")
    func events() async throws {
        try await ServerFixture.with {
            $0.port = 0
            $0.heartbeat = .milliseconds(20)
        } _: { server in
            let id = try await server.submit()
            let node = server.it.node
            node.write(id, "one\ntwo\n")
            try await Wire.with(server.address) { wire in
                try await wire.request("GET", "/api/v1/mags-jobs/\(id)/logs?follow=1&after=1", token: server.token)
                let head = try await wire.head()
                #expect(head.headers["content-type"] == "text/event-stream")
                var text = ""
                func read(until end: String) async throws {
                    while !text.contains(end), let piece = try await wire.piece() {
                        text += String(decoding: piece, as: UTF8.self)
                    }
                }
                try await read(until: "two")
                #expect(text.contains("id: 2\ndata: {") && !text.contains("id: 1\n"))
                try await read(until: ": still here\n\n")
                node.write(id, "three")
                node.end(id)
                try await read(until: "event: end")
                let rest = text
                #expect(rest.contains("id: 3\ndata: "))
                #expect(rest.contains("\"message\":\"three\""))
                #expect(rest.contains("\"status\":\"completed\""))
                #expect(try await wire.piece() == nil)
            }
        }
    }
}
