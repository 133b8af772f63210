import APIDouble
import Foundation
import MagsAPI
import NIOCore
import Testing

@testable import MagsClient

@Suite("A call to the server")
struct CallTests {
    private static let quick = RetryPolicy(
        patience: .seconds(10), firstDelay: .microseconds(10), longestDelay: .milliseconds(1))

    private func client(_ double: MagsDouble, _ retries: RetryPolicy = quick) throws -> MagsClient {
        MagsClient(address: try ServerAddress(double.url), token: MagsDouble.token, retries: retries)
    }

    @Test("carries the token and brings the typed reply")
    func reply() async throws {
        let double = try await MagsDouble.start()
        #expect(try await client(double).whoami().name == "ada")
        #expect(try await client(double).status(of: "a name").requestID == MagsDouble.job)
        #expect(try await client(double).jobs(name: "a&b").total == 1)
        #expect(double.server.requests.last?.query["name"] == "a%26b")
        await double.server.stop()
    }

    @Test("says which version asks, and learns the server's")
    func versions() async throws {
        let double = try await MagsDouble.start()
        #expect(try await client(double).health().version == "9.9.9")
        #expect(double.server.requests.last?.header("User-Agent") == "mags/\(MagsClient.version)")
        await double.server.stop()
    }

    @Test("goes over a Unix socket as well")
    func unixSocket() async throws {
        try await withTemporaryFolder { folder in
            let double = try await MagsDouble.start(at: SocketAddress(unixDomainSocketPath: "\(folder)/api sock"))
            #expect(try await client(double).whoami().name == "ada")
            await double.server.stop()
        }
    }

    @Test("tells the server's error with its code, hint and whether to try again")
    func serverError() async throws {
        let body = #"{"error":"no disk","code":"disk_full","request_id":"r-9","hint":"wait","retryable":true}"#
        let double = try await MagsDouble.start(refusing: [(507, [:], body)])
        let error = await #expect(throws: MagsError.self) { try await client(double, .never).whoami() }
        let expected = MagsError(
            "disk_full", "no disk", hint: "wait", isRetryable: true, status: 507, requestID: "r-9")
        #expect(error == expected)
        await double.server.stop()
    }

    @Test("does not send again to a server whose disk is full, although it asks to wait")
    func fullDisk() async throws {
        let body = #"{"error":"no disk","code":"disk_full","request_id":"r-9","retryable":true}"#
        let double = try await MagsDouble.start(refusing: [(507, ["Retry-After": "0"], body)])
        await #expect(throws: MagsError.self) { try await client(double).whoami() }
        #expect(double.server.requests.count == 1)
        await double.server.stop()
    }

    @Test("tells an error page of something else in words")
    func foreignError() async throws {
        let double = try await MagsDouble.start(refusing: [(404, [:], "<html>")])
        let error = await #expect(throws: MagsError.self) { try await client(double).whoami() }
        #expect(error?.code == "http_404")
        #expect(error?.isRetryable == false)
        await double.server.stop()
    }

    @Test("with a bad token says how to log in")
    func badToken() async throws {
        let double = try await MagsDouble.start()
        let client = MagsClient(address: try ServerAddress(double.url), token: "wrong")
        let error = await #expect(throws: MagsError.self) { try await client.whoami() }
        #expect(error?.message == "API token required")
        #expect(error?.hint?.contains("mags login") == true)
        await double.server.stop()
    }

    @Test("that only asks is repeated after failures that pass")
    func repeated() async throws {
        let double = try await MagsDouble.start(refusing: [(503, [:], "{}"), (502, [:], ""), (429, [:], "{}")])
        #expect(try await client(double).whoami().name == "ada")
        #expect(double.count("GET", "/api/v1/whoami") == 4)
        await double.server.stop()
    }

    @Test("that submits is repeated when the server refused to take the job")
    func submitRefused() async throws {
        let double = try await MagsDouble.start(refusing: [(503, [:], "{}"), (429, [:], "{}")])
        let reply = try await client(double).submit(SubmitRequest(script: "true"))
        #expect(reply.requestID == MagsDouble.job)
        #expect(double.count("POST", "/api/v1/mags-jobs") == 3)
        await double.server.stop()
    }

    @Test("that submits is not repeated when the job may have been taken", arguments: [502, 504, 500])
    func submitUnsure(status: Int) async throws {
        let double = try await MagsDouble.start(refusing: [(status, [:], "{}")])
        await #expect(throws: MagsError.self) { try await client(double).submit(SubmitRequest(script: "true")) }
        #expect(double.count("POST", "/api/v1/mags-jobs") == 1)
        await double.server.stop()
    }

    @Test("that submits and is cancelled still learns the id of a job that was taken")
    func submitCancelled() async throws {
        let double = try await MagsDouble.start()
        let client = try client(double)
        double.server.hold { $0.path == "/api/v1/mags-jobs" }
        let submission = Task { try await client.submit(SubmitRequest(script: "true"), grace: .seconds(600)) }
        _ = await double.server.request { $0.path == "/api/v1/mags-jobs" }
        submission.cancel()
        double.server.release()
        #expect(try await submission.value.requestID == MagsDouble.job)
        await double.server.stop()
    }

    @Test("that submits and is cancelled does not wait for ever")
    func submitGivenUp() async throws {
        let double = try await MagsDouble.start()
        let client = try client(double)
        double.server.hold { $0.path == "/api/v1/mags-jobs" }
        let submission = Task { try await client.submit(SubmitRequest(script: "true"), grace: .zero) }
        _ = await double.server.request { $0.path == "/api/v1/mags-jobs" }
        submission.cancel()
        let error = await #expect(throws: MagsError.self) { try await submission.value }
        #expect(error?.code == "submission_unknown")
        await double.server.stop()
    }

    @Test("that submits and is cancelled between two attempts makes no other")
    func submitNotRepeated() async throws {
        let double = try await MagsDouble.start(refusing: [(429, ["Retry-After": "5"], "{}")])
        let client = try client(double)
        let submission = Task { try await client.submit(SubmitRequest(script: "true"), grace: .seconds(600)) }
        _ = await double.server.request { $0.path == "/api/v1/mags-jobs" }
        submission.cancel()
        await #expect(throws: CancellationError.self) { try await submission.value }
        #expect(double.count("POST", "/api/v1/mags-jobs") == 1)
        await double.server.stop()
    }

    @Test("is not repeated when the answer is too long")
    func tooLong() async throws {
        let body = String(repeating: " ", count: 17 << 20)
        let double = try await MagsDouble.start(refusing: [(200, [:], body)])
        let error = await #expect(throws: MagsError.self) { try await client(double).whoami() }
        #expect(error?.code == "bad_reply")
        #expect(double.server.requests.count == 1)
        await double.server.stop()
    }

    @Test("to nobody fails with the address and what to do")
    func nobody() async throws {
        // Nobody listens there, and no other test is ever given that port.
        let address = "http://127.0.0.1:1"
        let client = MagsClient(address: try ServerAddress(address), token: MagsDouble.token, retries: .never)
        let error = await #expect(throws: MagsError.self) { try await client.whoami() }
        #expect(error?.code == "unreachable")
        #expect(error?.message.contains(address) == true)
        #expect(error?.message.contains("refused") == true)
    }

    @Test("uploads a file as it is, under its name")
    func upload() async throws {
        try await withTemporaryFolder { folder in
            let double = try await MagsDouble.start()
            let content = Data((0..<700_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
            try content.write(to: URL(filePath: "\(folder)/a \"b\".bin"))
            #expect(try await client(double).upload(file: "\(folder)/a \"b\".bin").fileID == "file-7")
            let request = try #require(double.server.requests.last)
            let type = try #require(request.header("Content-Type"))
            let boundary = try #require(type.split(separator: "=").last)
            let head =
                "--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".bin\"\r\n"
            let body = Data(request.body)
            #expect(body.starts(with: Data(head.utf8)))
            #expect(body.range(of: Data("\r\n\r\n".utf8) + content + Data("\r\n--\(boundary)--\r\n".utf8)) != nil)
            await double.server.stop()
        }
    }

    @Test(
        "quotes a file's name so that it arrives as it was",
        arguments: [
            (#"a "b".bin"#, #"a \"b\".bin"#), (#"c:\d\"#, #"c:\\d\\"#), ("100%22%", #"100\%22\%"#),
            ("a\r\nb", "a%0D%0Ab"), ("; filename=y", "; filename=y"), ("\u{301}ä", "\u{301}ä"),
        ])
    func fileNames(name: String, quoted: String) {
        #expect(quotedFileName(name) == quoted)
    }

    @Test("that uploads what is not there sends nothing")
    func uploadMissing() async throws {
        let double = try await MagsDouble.start()
        let error = await #expect(throws: MagsError.self) { try await client(double).upload(file: "/no/such") }
        #expect(error?.code == "file_unreadable")
        #expect(double.server.requests.isEmpty)
        await double.server.stop()
    }
}
