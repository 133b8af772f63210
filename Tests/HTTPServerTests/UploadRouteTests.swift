import ControlPlane
import Foundation
import MagsAPI
import NIOCore
import NodeWire
import Store
import Testing

@testable import HTTPServer

@Suite("An upload by form")
struct UploadRouteTests {
    private static func form(_ content: [UInt8], name: String = "file", fileName: String = "a.bin") -> [UInt8] {
        Array(
            """
            --XyZ\r
            Content-Disposition: form-data; name="\(name)"; filename="\(fileName)"\r
            Content-Type: application/octet-stream\r
            \r\n
            """.utf8) + content + Array("\r\n--XyZ--\r\n".utf8)
    }

    private static func post(
        _ server: ServerFixture, _ body: [UInt8], type: String = "multipart/form-data; boundary=XyZ",
        token: String? = nil
    )
        async throws -> Wire.Reply
    {
        try await Wire.with(server.address) { wire in
            try await wire.request(
                "POST", "/api/v1/mags-files", token: token ?? server.token, headers: ["Content-Type: \(type)"],
                body: body)
            return try await wire.reply()
        }
    }

    @Test("arrives byte for byte and goes to the node with its job")
    func arrives() async throws {
        try await ServerFixture.with { server in
            let content = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 / 3) } + Array("\r\n--Xy\r\n--".utf8)
            let reply = try await UploadRouteTests.post(server, UploadRouteTests.form(content))
            #expect(reply.status == 200)
            let upload = try JSONDecoder().decode(UploadReply.self, from: Data(reply.body))
            #expect((upload.name, upload.size) == ("a.bin", content.count))
            _ = try await server.submit(#"{"script":"echo","file_ids":["\#(upload.fileID)"]}"#)
            guard
                case .start(let job) = await server.it.node.received({ if case .start = $0 { true } else { false } })
            else { return }
            let source = try #require(job.uploads.first?.source)
            #expect(try Data(contentsOf: URL(fileURLWithPath: source)) == Data(content))
        }
    }

    @Test("that is not what it should be is refused, and nothing stays")
    func refused() async throws {
        try await ServerFixture.with { server in
            let good = UploadRouteTests.form([1, 2, 3])
            let cases: [([UInt8], String, Int)] = [
                (good, "application/json", 400), (good, "multipart/form-data", 400),
                (good, "multipart/form-data; boundary=other", 400), (Array(good.dropLast(6)), "", 400), ([], "", 400),
                (UploadRouteTests.form([1], name: "other"), "", 400),
                (UploadRouteTests.form([1], fileName: ".."), "", 400),
                (UploadRouteTests.form([1], fileName: ""), "", 400),
                (Array(good.dropLast(9)) + good.dropFirst(0), "", 400),
                (UploadRouteTests.form([UInt8](repeating: 1, count: 5 << 20)), "", 413),
            ]
            for (index, (body, type, status)) in cases.enumerated() {
                let type = type.isEmpty ? "multipart/form-data; boundary=XyZ" : type
                let reply = try await UploadRouteTests.post(server, body, type: type)
                #expect(reply.status == status, "\(index): \(reply.text)")
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(server.it.folder)/uploads") == [])
        }
    }

    @Test("that is too slow is refused, whatever else comes with it, and nothing stays")
    func slow() async throws {
        try await ServerFixture.with { server in
            @Sendable func files() throws -> [String] {
                try FileManager.default.contentsOfDirectory(atPath: "\(server.it.folder)/uploads")
            }
            try await Wire.with(server.address) { wire in
                try await wire.request(
                    "POST", "/api/v1/mags-files", token: server.token,
                    headers: ["Content-Type: multipart/form-data; boundary=XyZ", "Content-Length: 100000000"])
                try await wire.send(UploadRouteTests.form([1, 2, 3]).dropLast(4) + Array("\r\n".utf8))
                while try files().isEmpty { await Task.yield() }
                server.it.clock.step(.seconds(62))
                try await wire.send("Content-Disposition: form-data; name=\"note\"\r\n\r\nslow")
                let reply = try await wire.reply()
                #expect(reply.status == 408)
                #expect(try reply.json()["code"] as? String == "upload_too_slow")
            }
            #expect(try files().isEmpty)
        }
    }

    @Test("takes a place of its token's")
    func share() async throws {
        try await ServerFixture.with { server in
            let (token, record) = try await server.it.control.tokens.create(name: "greedy")
            let held = try (0..<4).map { _ in
                try server.it.control.files.begin(name: "x", owner: .administrator, holder: record.id)
            }
            let form = UploadRouteTests.form([1])
            #expect(try await UploadRouteTests.post(server, form, token: token).status == 429)
            #expect(try await UploadRouteTests.post(server, form).status == 200)
            for upload in held { await upload.abandon() }
            #expect(try await UploadRouteTests.post(server, form, token: token).status == 200)
        }
    }

    @Test("is cut into the same parts whatever pieces it comes in", arguments: 1...40)
    func pieces(size: Int) throws {
        let body = Array(
            """
            preamble\r
            --b\r
            Content-Disposition: form-data; name="note"\r
            \r
            \r
            --b\r
            content-disposition: form-data; filename="x \\"y\\".txt"; name="file"\r
            \r
            \r\n--bb\r\n\r\r\n-\r
            --b--\r\nepilogue
            """.utf8)
        var parser = MultipartParser(boundary: "b")
        var (parts, contents): ([MultipartParser.PartHeaders], [[UInt8]]) = ([], [])
        var rest = body[...]
        while !rest.isEmpty {
            for event in try parser.feed(ByteBuffer(bytes: rest.prefix(size))) {
                switch event {
                case .part(let headers):
                    parts.append(headers)
                    contents.append([])
                case .bytes(let bytes): contents[contents.count - 1] += Array(buffer: bytes)
                case .end: break
                }
            }
            rest = rest.dropFirst(size)
        }
        #expect(parser.isWhole)
        #expect(parts == [.init(name: "note"), .init(name: "file", fileName: "x \"y\".txt")])
        #expect(contents.map { String(decoding: $0, as: UTF8.self) } == ["", "\r\n--bb\r\n\r\r\n-"])
    }

    /// As our client writes names, as browsers do, and as others do.
    @Test(
        "has the file's name as it was, however that is quoted",
        arguments: [
            (#"a \"b\".bin"#, #"a "b".bin"#), (#"c:\\d\\"#, #"c:\d\"#), (#"\\\""#, #"\""#), (#"100\%22\%"#, "100%22%"),
            ("a %22b%22.bin", #"a "b".bin"#), ("a%0d%0Ab", "a\r\nb"), (#"c:\d"#, #"c:\d"#), ("50% %2", "50% %2"),
            ("; name=x; filename=y", "; name=x; filename=y"), ("\u{301}ä\u{1F600}", "\u{301}ä\u{1F600}"),
            ("", ""), ("%2522", "%2522"),
        ])
    func fileNames(quoted: String, name: String) throws {
        var parser = MultipartParser(boundary: "XyZ")
        let form = UploadRouteTests.form([1], fileName: quoted)
        #expect(try parser.feed(ByteBuffer(bytes: form)).first == .part(.init(name: "file", fileName: name)))
    }
}
