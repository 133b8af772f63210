import Glibc
import Testing

@testable import Resolver

@Suite("The machines' name server")
struct ServerTests {
    /// A reply of the upstream's: the query itself, marked as one, with the given end.
    private static func upstreamReply(_ query: [UInt8], cut: Bool = false, end: [UInt8] = []) -> [UInt8] {
        var reply = query + end
        reply[2] = cut ? 0x82 : 0x80
        return reply
    }

    @Test("answers names by the host's own files, over UDP and TCP")
    func hostFile() throws {
        let lab = try ResolverLab()
        defer { lab.stop() }
        let reply = try #require(Reply(lab.ask(query("localhost"))))
        #expect(reply.id == 0x1234 && reply.code == 0 && reply.answerCount == 1)
        #expect(reply.tail == [127, 0, 0, 1])
        let streamed = lab.askStream([query("LOCALHOST", id: 7), query("localhost", type: 28, id: 8)]).map(Reply.init)
        #expect(streamed.map { $0?.id } == [7, 8])
        #expect(streamed.map { $0?.answerCount } == [1, 0])
        #expect(streamed.map { $0?.code } == [0, 0])
    }

    @Test("says that there is no IPv6, and no name that is a number")
    func noAddress() throws {
        let lab = try ResolverLab()
        defer { lab.stop() }
        let six = Reply(lab.ask(query("example.org", type: 28)))
        #expect(six?.code == 0 && six?.answerCount == 0)
        #expect(Reply(lab.ask(query("10.1.2.3")))?.code == 3)
        #expect(Reply(lab.ask(query("a.b", type: 255)))?.code == 5)
    }

    @Test("asks the host's name servers for other types, in its own words, and gives the guest its id")
    func forwarding() throws {
        let upstream = try LabNameServer { query, _ in
            // Neither a wrong id nor another question's answer is believed.
            var wrong = Self.upstreamReply(query)
            wrong[0] ^= 0xff
            var other = Self.upstreamReply(query)
            other[13] ^= 1
            return [wrong, other, Self.upstreamReply(query, end: [9, 9, 9, 9])]
        }
        let lab = try ResolverLab(upstream: [upstream.server])
        defer { lab.stop() }
        let reply = try #require(Reply(lab.ask(query("example.org", type: 16))))
        #expect(reply.id == 0x1234)
        #expect(reply.tail == [9, 9, 9, 9])
    }

    @Test("fetches over TCP what does not fit, and marks it as cut for a guest that asked over UDP")
    func long() throws {
        let upstream = try LabNameServer { query, isStream in
            isStream
                ? [Self.upstreamReply(query, end: [UInt8](repeating: 5, count: 3000))]
                : [Self.upstreamReply(query, cut: true)]
        }
        let lab = try ResolverLab(upstream: [upstream.server])
        defer { lab.stop() }
        #expect(Reply(lab.ask(query("example.org", type: 16)))?.isCut == true)
        let whole = try #require(lab.askStream([query("example.org", type: 16)]).first ?? nil)
        #expect(whole.count > 3000)
        #expect(Reply(whole)?.isCut == false)
    }

    @Test("goes on to the next name server when one is not there, and says so when none is")
    func failure() throws {
        let upstream = try LabNameServer { query, _ in [Self.upstreamReply(query, end: [1, 2, 3, 4])] }
        let closed = try ResolverLab.bound(SOCK_DGRAM)
        close(closed.socket)
        let dead = Upstream.Server(host: "127.0.0.1", port: closed.port)
        let lab = try ResolverLab(upstream: [dead, upstream.server])
        defer { lab.stop() }
        #expect(Reply(lab.ask(query("example.org", type: 15)))?.tail == [1, 2, 3, 4])
        let alone = try ResolverLab(upstream: [dead])
        defer { alone.stop() }
        #expect(Reply(alone.ask(query("example.org", type: 15)))?.code == 2)
    }

    @Test("still answers after a flood of rubbish, over UDP and TCP")
    func rubbish() throws {
        let lab = try ResolverLab()
        defer { lab.stop() }
        var generator = SplitMix(state: 7)
        let deadline = Deadline(milliseconds: ResolverLab.patience)
        let flood = try #require(Socket.connected(to: "127.0.0.1", lab.udp.port, isStream: false, deadline))
        for _ in 0..<400 {
            let bytes = (0..<Int.random(in: 0...600, using: &generator)).map { _ in
                UInt8.random(in: .min ... .max, using: &generator)
            }
            _ = flood.send(bytes, deadline)
            if bytes.count >= 12 {
                let stream = Socket.connected(to: "127.0.0.1", lab.tcp.port, isStream: true, deadline)
                _ = stream?.send(DNSReply.big(UInt16(bytes.count)) + bytes, deadline)
            }
        }
        #expect(Reply(lab.ask(query("localhost")))?.answerCount == 1)
        #expect(Reply(lab.askStream([query("localhost")]).first ?? nil)?.answerCount == 1)
    }

    @Test("ends with the process that owns it")
    func life() async {
        await #expect(processExitsWith: .exitCode(0)) {
            let (udp, tcp) = (try ResolverLab.bound(SOCK_DGRAM), try ResolverLab.bound(SOCK_STREAM))
            var ends: [Int32] = [-1, -1]
            pipe(&ends)
            close(ends[1])
            ResolverServer.run(udp: udp.socket, tcp: tcp.socket, life: ends[0])
        }
    }
}
