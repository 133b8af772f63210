import MagsModel
import NIOCore
import NIOPosix
import Testing

@testable import ControlPlane

@Suite("A script from an address")
struct ScriptSourceTests {
    @Test(
        "never comes from a closed network",
        arguments: [
            "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.127.255.255", "169.254.169.254",
            "172.16.0.1", "172.31.255.255", "192.168.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "198.18.0.1",
            "::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
            "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1", "2001:db8::1", "nonsense",
        ])
    func closed(address: String) { #expect(!AddressRules.isPublic(address)) }

    @Test(
        "may come from a public one",
        arguments: ["1.1.1.1", "100.63.0.1", "172.32.0.1", "2606:4700::1111", "2001:4860::8"])
    func open(address: String) { #expect(AddressRules.isPublic(address)) }

    @Test(
        "is refused whatever way its loopback is written",
        arguments: [
            "http://localhost:9/", "http://127.1/", "http://0x7f000001/", "http://2130706433/", "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
        ])
    func spellings(address: String) async {
        await #expect { try await ScriptSource().fetch(address) } throws: {
            ($0 as? Problem)?.code == "script_address_forbidden"
        }
    }

    @Test(
        "must have an http address without a user",
        arguments: ["", "file:///etc/passwd", "ftp://x/", "http://u:p@x/", "http://"])
    func addresses(address: String) async {
        await #expect { try await ScriptSource().fetch(address) } throws: { ($0 as? Problem)?.code == "invalid_field" }
    }

    @Test("is fetched, over redirects too, where private networks are allowed")
    func fetches() async throws {
        try await TextServer.with([
            "/a": "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\necho hi",
            "/b": "HTTP/1.1 302 Found\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n",
            "/loop": "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n",
            "/empty": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "/big": "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n" + String(repeating: "#", count: 1_048_577),
            "/binary": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\0x",
        ]) { port in
            let source = ScriptSource(allowsPrivateAddresses: true)
            let (direct, redirected) = (
                try await source.fetch("http://127.0.0.1:\(port)/a"),
                try await source.fetch("http://localhost:\(port)/b")
            )
            #expect(direct == "echo hi" && redirected == "echo hi")
            for path in ["loop", "missing", "big"] {
                await #expect { try await source.fetch("http://127.0.0.1:\(port)/\(path)") } throws: {
                    ($0 as? Problem)?.code == "script_fetch_failed"
                }
            }
            for path in ["empty", "binary"] {
                await #expect { try await source.fetch("http://127.0.0.1:\(port)/\(path)") } throws: {
                    ($0 as? Problem)?.code == "invalid_field"
                }
            }
        }
    }

    @Test("that does not come in time is given up")
    func slow() async throws {
        try await TextServer.with([:], isSilent: true) { port in
            let clock = SteppingClock()
            let source = ScriptSource(allowsPrivateAddresses: true, clock: clock.clock)
            let fetching = Task { try await source.fetch("http://127.0.0.1:\(port)/") }
            await clock.sleeper(for: .seconds(10))
            clock.step(.seconds(10))
            await #expect { try await fetching.value } throws: { ($0 as? Problem)?.code == "script_fetch_failed" }
        }
    }
}

/// Answers a path with a text, over real sockets.
private enum TextServer {
    static func with(
        _ answers: [String: String], isSilent: Bool = false, _ body: (Int) async throws -> Void
    ) async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answerer(answers: answers, isSilent: isSilent))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        do {
            try await body(server.localAddress?.port ?? 0)
        } catch {
            try? await server.close()
            throw error
        }
        try await server.close()
    }

    private final class Answerer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let answers: [String: String]
        private let isSilent: Bool
        private var request = ""

        init(answers: [String: String], isSilent: Bool) {
            self.answers = answers
            self.isSilent = isSilent
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            request += String(buffer: unwrapInboundIn(data))
            guard !isSilent, request.contains("\r\n\r\n") else { return }
            let path = request.split(separator: " ").dropFirst().first.map(String.init) ?? ""
            let answer = answers[path] ?? "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
            request = ""
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
        }
    }
}
