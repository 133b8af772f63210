import Foundation
import MagsAPI
import MagsModel
import NIOCore
import Store
import Testing

@testable import HTTPServer

@Suite("The API's door")
struct AccessTests {
    @Test("is closed without a known token on every route but the open ones")
    func closed() async throws {
        try await ServerFixture.with { server in
            for route in Route.table {
                let path = "/" + route.path.map { $0 == "{id}" ? "job" : $0 }.joined(separator: "/")
                for headers in [
                    [], ["Authorization: Bearer mags_wrong"], ["Authorization: Basic YTpi"], ["Authorization:"],
                ] {
                    let reply = try await server.call(
                        route.verb, path, token: .some(nil), headers: headers)
                    guard route.needsToken else {
                        #expect(reply.status == 200, "\(path)")
                        continue
                    }
                    #expect(reply.status == 401, "\(path)")
                    let isUnknown = headers.first?.hasSuffix("mags_wrong") == true
                    let text = isUnknown ? "API token is not known" : "API token required"
                    #expect(try reply.json()["error"] as? String ?? "" ~= text)
                    #expect(reply.headers["www-authenticate"] == "Bearer")
                }
            }
            #expect(try await server.call("GET", "/api/v1/whoami", headers: ["x: y"]).status == 200)
            let lower = try await server.call(
                "GET", "/api/v1/whoami", token: .some(nil), headers: ["authorization: bearer \(server.token)"])
            #expect(try lower.json()["token_name"] as? String == "test")
        }
    }

    @Test("answers an unknown path with 404 and a wrong method with 405 and what is allowed")
    func paths() async throws {
        try await ServerFixture.with { server in
            for path in [
                "/", "/api", "/api/v3/mags-jobs", "/api/v1/mags-jobs/x/y", "/api/v1/mags-jobs/%FF/status", "/%00",
            ] {
                let reply = try await server.call("GET", path)
                #expect(reply.status == 404, "\(path)")
                #expect(try reply.json()["code"] as? String == "unknown_path")
            }
            let hint = try await server.call("GET", "/nothing").json()["hint"] as? String ?? ""
            let named = try #require(hint.split(separator: " ").first { $0.hasPrefix("/") })
            let document = try await server.call("GET", String(named), token: .some(nil))
            #expect(document.status == 200)
            #expect(document.headers["content-type"] == "application/json")
            #expect(try document.json()["openapi"] != nil)
            let reply = try await server.call(
                "DELETE", "/api/v1/mags-jobs", headers: ["Content-Type: application/json"])
            #expect(reply.status == 405)
            #expect(Set((reply.headers["allow"] ?? "").split(separator: ", ")) == ["GET", "POST"])
            let missing = try await server.call("GET", "/api/v1/mags-jobs/nothing-here/status")
            #expect(missing.status == 404)
            #expect(try (missing.json()["error"] as? String ?? "").contains("not found"))
        }
    }

    @Test("says of what the published API has and this server not yet that it is not available, to who may ask")
    func planned() async throws {
        try await ServerFixture.with { server in
            for (method, path) in [
                ("POST", "mags-jobs/x/access"), ("POST", "mags-jobs/x/sync"),
                ("GET", "mags-jobs/usage?window_days=30"), ("GET", "mags-workspaces"), ("DELETE", "mags-workspaces/w"),
                ("POST", "mags-cron"), ("PATCH", "mags-cron/7"), ("POST", "mags-url-aliases"),
                ("DELETE", "mags-url-aliases/shop"),
            ] {
                for version in ["v1", "v2"] {
                    let path = "/api/\(version)/\(path)"
                    let reply = try await server.call(method, path, body: method == "GET" ? nil : "{}")
                    #expect(reply.status == 501, "\(path)")
                    #expect(try reply.json()["code"] as? String == "not_available_yet")
                    #expect(try await server.call(method, path, token: .some(nil)).status == 401)
                }
            }
            #expect(try await server.call("POST", "/api/v1/mags-jobs/x/y/access").status == 404)
        }
    }

    @Test(
        "leaves nothing out of a path to make it fit",
        arguments: [
            "/health/", "//health", "/api/v1/mags-jobs/", "/api//v1/mags-jobs", "/api/v1/mags-jobs//status",
            "/api/v1/mags-jobs/x/status/",
        ])
    func slashes(path: String) async throws {
        try await ServerFixture.with { server in
            let reply = try await server.call("GET", path)
            #expect(reply.status == 404)
            #expect(try reply.json()["code"] as? String == "unknown_path")
            let saysSo = try (reply.json()["hint"] as? String)?.contains("slash at the end") == true
            #expect(saysSo == path.hasSuffix("/"))
        }
    }

    @Test("answers every method that a path does not take with 405 and what it takes, in the API's shape")
    func methods() async throws {
        try await ServerFixture.with { server in
            for route in Route.table {
                let path = "/" + route.path.map { $0 == "{id}" ? "job" : $0 }.joined(separator: "/")
                for method in ["OPTIONS", "PUT", "DELETE", "TRACE", "PROPFIND"] {
                    let reply = try await server.call(method, path)
                    #expect(reply.status == 405, "\(method) \(path)")
                    #expect(try reply.json()["code"] as? String == "wrong_method")
                    #expect(reply.headers["allow"]?.contains(route.verb) == true)
                }
            }
            let unheardOf = try await server.call("GREET", "/health")
            #expect(unheardOf.status == 400)
            #expect(try unheardOf.json()["code"] as? String == "bad_request")
        }
    }

    @Test("answers HEAD with a head alone, so that the connection can go on")
    func head() async throws {
        try await ServerFixture.with { server in
            try await Wire.with(server.address) { wire in
                for (path, status) in [("/health", 405), ("/nothing", 404), ("/api/v1/mags-jobs", 405)] {
                    try await wire.request("HEAD", path, token: server.token)
                    let head = try await wire.head()
                    #expect(head.status == status)
                    #expect((head.headers["allow"] ?? "").contains("GET") == (status == 405))
                    // Its length is that of the body that another method would get; none comes.
                    try await wire.request("GET", "/health", token: nil)
                    #expect(try await wire.reply().status == 200)
                }
            }
        }
    }

    @Test("reads a body as JSON unless it says that it is something else")
    func contentTypes() async throws {
        try await ServerFixture.with { server in
            let path = "/api/v1/mags-jobs"
            let taken = [
                [], ["application/json"], ["Application/JSON; charset=utf-8"], ["application/problem+json"],
                // What curl calls all that it sends.
                ["application/x-www-form-urlencoded"],
            ]
            for types in taken {
                let headers = types.map { "Content-Type: \($0)" }
                let reply = try await server.call("POST", path, headers: headers, body: #"{"script":"echo"}"#)
                #expect(reply.status == 202, "\(types)")
                #expect(try await server.call("POST", path, headers: headers, body: "script=echo").status == 400)
            }
            for type in ["text/plain", "multipart/form-data; boundary=b", "application/xml", "json", "", "*/*"] {
                for (method, path) in [("POST", path), ("PATCH", "\(path)/job")] {
                    let reply = try await server.call(
                        method, path, headers: ["Content-Type: \(type)"], body: #"{"script":"echo"}"#)
                    #expect(reply.status == 415, "\(type)")
                    #expect(try reply.json()["code"] as? String == "unsupported_media_type")
                    #expect(try reply.json()["hint"] != nil)
                }
            }
            // Where nothing is read of a body, nothing is asked of it.
            let id = try await server.submit()
            #expect(
                try await server.call("POST", "\(path)/\(id)/stop", headers: ["Content-Type: text/plain"]).status == 200
            )
        }
    }

    @Test("takes nothing too large: 413 for a body, 431 for headers, and closes")
    func tooLarge() async throws {
        try await ServerFixture.with { server in
            let large = #"{"script":"a","name":""# + String(repeating: "x", count: Limits.requestBodyBytes) + "\"}"
            let body = try await server.call("POST", "/api/v1/mags-jobs", body: large)
            #expect(body.status == 413)
            #expect(try body.json()["code"] as? String == "body_too_large")
            let field = try await server.call(
                "GET", "/health", headers: ["X: " + String(repeating: "x", count: Limits.headerFieldBytes + 1)])
            #expect(field.status == 431)
            #expect(try field.json()["code"] as? String == "headers_too_large")
            let many = (0..<8).map { "X\($0): " + String(repeating: "x", count: 10_000) }
            #expect(try await server.call("GET", "/health", headers: many).status == 431)
            let fitting = "X: " + String(repeating: "x", count: Limits.headerFieldBytes - 500)
            #expect(try await server.call("GET", "/health", headers: [fitting]).status == 200)
        }
    }

    @Test("answers what is no HTTP and closes")
    func noHTTP() async throws {
        try await ServerFixture.with { server in
            for text in ["SSH-2.0-OpenSSH\r\n\r\n", "GET\r\n\r\n", "\u{16}\u{03}\u{01}\u{02}\r\n\r\n"] {
                try await Wire.with(server.address) { wire in
                    try await wire.send(text)
                    let reply = try await wire.reply()
                    #expect(reply.status == 400)
                    #expect(try await wire.isClosed())
                }
            }
            #expect(try await server.call("GET", "/health").status == 200)
        }
    }

    @Test("closes on a client that is silent, sends its headers too slowly, or its body")
    func slow() async throws {
        try await ServerFixture.with(pace: .init(interval: .milliseconds(50), bytes: 10_000)) {
            $0.port = 0
            $0.idleSeconds = 1
        } _: { server in
            let beginnings = [
                "", "GET /health HTTP/1.1\r\nHos",
                "POST /api/v1/mags-jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(server.token)\r\n"
                    + "Content-Length: 100000\r\n\r\n{",
            ]
            for beginning in beginnings {
                try await Wire.with(server.address) { wire in
                    try await wire.send(beginning)
                    #expect(try await wire.isClosed())
                }
            }
        }
    }

    @Test("reads no body that it does not want: it answers and closes")
    func unreadBody() async throws {
        try await ServerFixture.with(pace: .init(linger: .milliseconds(50))) { server in
            for path in ["/health", "/api/openapi.json", "/nothing"] {
                try await Wire.with(server.address) { wire in
                    try await wire.request("GET", path, token: nil, headers: ["Transfer-Encoding: chunked"])
                    try await wire.send("4000\r\n" + String(repeating: "x", count: 0x4000) + "\r\n")
                    let reply = try await wire.reply()
                    #expect(reply.headers["connection"] == "close")
                    #expect(try await wire.isClosed())
                }
            }
            // One that has come whole costs nobody the connection.
            try await Wire.with(server.address) { wire in
                for _ in 0..<2 {
                    try await wire.send("GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")
                    let reply = try await wire.reply()
                    #expect((reply.status, reply.headers["connection"]) == (200, nil))
                }
            }
        }
    }

    @Test("refuses a body beyond what all bodies together may hold, with 503, and takes it when they are gone")
    func bodyBudget() async throws {
        try await ServerFixture.with {
            $0.port = 0
            $0.maximumBodyBytes = 300_000
        } _: { server in
            let large = #"{"script":"echo","name":""# + String(repeating: "x", count: 200_000) + "\"}"
            try await Wire.with(server.address) { slow in
                try await slow.request(
                    "POST", "/api/v1/mags-jobs", token: server.token, headers: ["Content-Length: 200001"])
                try await slow.send(String(repeating: " ", count: 200_000))
                var reply = try await server.call("POST", "/api/v1/mags-jobs", body: large)
                // The slow one's bytes may not all have come yet.
                while reply.status != 503 { reply = try await server.call("POST", "/api/v1/mags-jobs", body: large) }
                #expect(reply.headers["retry-after"] != nil)
                #expect(try reply.json()["code"] as? String == "server_busy")
                try await slow.send(" ")
                #expect(try await slow.reply().status == 400)
            }
            // Its name is too long, which can be said only of one that was read.
            #expect(try await server.call("POST", "/api/v1/mags-jobs", body: large).status == 400)
        }
    }

    @Test("says with 507 that the disk is full, and goes on with all that needs none")
    func fullDisk() async throws {
        let store = FullStore()
        try await ServerFixture.with(store: store) { server in
            store.fill()
            let reply = try await server.call("POST", "/api/v1/mags-jobs", body: #"{"script":"echo"}"#)
            #expect(reply.status == 507)
            #expect(reply.headers["retry-after"] != nil)
            #expect(try reply.json()["code"] as? String == "disk_full")
            #expect(try (reply.json()["hint"] as? String)?.contains("Free some disk space") == true)
            for path in ["whoami", "mags-jobs", "doctor"] {
                #expect(try await server.call("GET", "/api/v1/\(path)").status == 200)
            }
        }
    }

    @Test("asks for the body of a client that waits to be asked")
    func expectsContinue() async throws {
        try await ServerFixture.with { server in
            try await Wire.with(server.address) { wire in
                let body = #"{"script":"echo"}"#
                try await wire.request(
                    "POST", "/api/v1/mags-jobs", token: server.token,
                    headers: ["Expect: 100-continue", "Content-Length: \(body.utf8.count)"])
                #expect(try await wire.head().status == 100)
                try await wire.send(body)
                #expect(try await wire.reply().status == 202)
            }
        }
    }

    @Test("keeps a connection open from one request to the next, pipelined ones too")
    func keepsAlive() async throws {
        try await ServerFixture.with { server in
            try await Wire.with(server.address) { wire in
                for _ in 0..<3 { try await wire.request("GET", "/health", token: nil) }
                for _ in 0..<3 { #expect(try await wire.reply().status == 200) }
                try await wire.request("GET", "/api/v1/mags-jobs/x/status", token: server.token)
                #expect(try await wire.reply().status == 404)
                try await wire.request("GET", "/health", token: nil)
                let health = try await wire.reply().json() as? [String: String]
                #expect(health == ["status": "ok", "version": MagsVersion.text])
            }
        }
    }
}

private func ~= (text: String, part: String) -> Bool { text.contains(part) }
