import ControlPlane
import Foundation
import MagsAPI
import MagsModel
import NodeWire
import Store
import Testing

@testable import HTTPServer

@Suite("The API's streams and their clients")
struct LeavingTests {
    private static let accept = ["Accept: \(OutputFrame.mediaType)"]

    @Test("go on to their end for a client that only says that it sends no more", arguments: [0, 1])
    func halfClose(follow: Int) async throws {
        try await ServerFixture.with { server in
            let id = try await server.submit()
            server.it.node.run(id)
            let line = String(repeating: "x", count: 999) + "\n"
            for _ in 0..<1000 { server.it.node.write(id, line) }
            if follow == 0 { server.it.node.end(id) }
            for (path, headers) in [("output", []), ("output", LeavingTests.accept), ("logs", [])] {
                server.it.node.forgetLog()
                try await Wire.with(server.address) { wire in
                    try await wire.request(
                        "GET", "/api/v1/mags-jobs/\(id)/\(path)?follow=\(follow)", token: server.token,
                        headers: headers)
                    wire.endSending()
                    #expect(try await wire.head().status == 200)
                    var size = 0
                    // A live stream is behind all there was: it must still be there for what comes.
                    while size < 1_000_000, let piece = try await wire.piece() { size += piece.count }
                    #expect(size >= 1_000_000)
                    if follow == 1 {
                        server.it.node.write(id, "more\n")
                        var text = ""
                        while !text.contains("more"), let piece = try await wire.piece() {
                            text += String(decoding: piece, as: UTF8.self)
                        }
                        #expect(text.contains("more"))
                    } else {
                        while try await wire.piece() != nil {}
                    }
                }
            }
        }
    }

    @Test("end when their token is revoked", arguments: ["output?follow=1", "logs?follow=1"])
    func revoked(path: String) async throws {
        try await ServerFixture.with {
            $0.port = 0
            $0.heartbeat = .milliseconds(20)
        } _: { server in
            let id = try await server.submit()
            server.it.node.write(id, "x\n")
            let tokens = server.it.control.tokens
            let (second, record) = try await tokens.create(name: "second")
            try await Wire.with(server.address) { wire in
                try await wire.request("GET", "/api/v1/mags-jobs/\(id)/\(path)", token: second)
                #expect(try await wire.head().status == 200)
                _ = try await wire.piece()
                try await tokens.revoke(record.id)
                // Cut off: a whole answer would end with an empty chunk.
                await #expect(throws: Wire.Ended.self) { while try await wire.piece() != nil {} }
            }
            #expect(try await server.call("GET", "/api/v1/whoami", token: second).status == 401)
            #expect(try await server.call("GET", "/api/v1/whoami").status == 200)
        }
    }

    @Test("say as their last word that the server stops, and end whole")
    func serverStops() async throws {
        try await ServerFixture.with { server in
            let id = try await server.submit()
            server.it.node.run(id)
            server.it.node.write(id, "before\n")
            let path = "/api/v1/mags-jobs/\(id)"
            try await Wire.with(server.address) { events in
                try await events.request("GET", "\(path)/logs?follow=1", token: server.token)
                #expect(try await events.head().status == 200)
                try await Wire.with(server.address) { frames in
                    try await frames.request(
                        "GET", "\(path)/output?follow=1", token: server.token, headers: LeavingTests.accept)
                    #expect(try await frames.head().status == 200)
                    server.it.control.close()
                    var decoder = OutputFrameDecoder()
                    while let piece = try await frames.piece() { decoder.append(piece) }
                    var last: OutputFrame?
                    while let frame = try decoder.next() { last = frame }
                    #expect(last?.kind == .error)
                    let reply = try JSONDecoder().decode(ErrorReply.self, from: Data(last?.payload ?? []))
                    #expect((reply.code, reply.retryable) == ("server_stopped", true))
                }
                var text = ""
                while let piece = try await events.piece() { text += String(decoding: piece, as: UTF8.self) }
                let last = try #require(text.components(separatedBy: "\n\n").last { !$0.isEmpty })
                let lines = last.split(separator: "\n")
                #expect(lines.first == "event: error")
                let data = Data(try #require(lines.last).dropFirst("data: ".count).utf8)
                #expect(try JSONDecoder().decode(ErrorReply.self, from: data).code == "server_stopped")
            }
            #expect(try await server.call("GET", "\(path)/logs?follow=1").status == 503)
        }
    }

    @Test("that are not read give up their place to another after a minute, and their connection with it")
    func displaced() async throws {
        try await ServerFixture.with(maximumReaders: 4) { server in
            let id = try await server.submit()
            let piece = [UInt8](repeating: 7, count: 1 << 20)
            for _ in 0..<32 { server.it.node.write(id, .stdout, piece) }
            let path = "/api/v1/mags-jobs/\(id)/output?follow=1"
            try await Wire.with(server.address) { unread in
                try await unread.request("GET", path, token: server.token)
                #expect(try await unread.head().status == 200)
                #expect(try await server.call("GET", path).status == 429)
                try await Wire.with(server.address) { other in
                    var status = 429
                    // The first one may still be filling its connection's buffers, which take more on a busy host: then it
                    // has not stalled yet.
                    while status == 429 {
                        server.it.node.write(id, .stdout, piece)
                        server.it.clock.step(.seconds(60))
                        try await other.request("GET", path, token: server.token)
                        let head = try await other.head()
                        status = head.status
                        if status == 429 { while try await other.piece() != nil {} }
                    }
                    #expect(status == 200)
                    await #expect(throws: (any Error).self) { while try await unread.piece() != nil {} }
                }
            }
        }
    }

    @Test("of events go on behind the one that a browser had last")
    func lastEventID() async throws {
        try await ServerFixture.with { server in
            let id = try await server.submit()
            server.it.node.write(id, "one\ntwo\nthree\n")
            server.it.node.end(id)
            func events(_ query: String, _ last: String) async throws -> String {
                try await server.call(
                    "GET", "/api/v1/mags-jobs/\(id)/logs?follow=1\(query)", headers: ["Last-Event-ID: \(last)"]
                ).text
            }
            let resumed = try await events("", "2")
            #expect(resumed.contains("id: 3\n") && !resumed.contains("id: 2\n"))
            #expect(try await events("&after=1", "2").contains("id: 2\n"))
            #expect(try await events("", "nonsense").contains("id: 1\n"))
        }
    }
}
