import Testing

@testable import Resolver

@Suite("What guests can make the resolver hold")
struct BoundsTests {
    @Test("is bounded in all, and for one machine")
    func gate() {
        let gate = Gate(most: 8, mostForOne: 2)
        #expect([gate.enter(1), gate.enter(1), gate.enter(1)] == [true, true, false])
        for source: UInt32 in 2...7 { #expect(gate.enter(source)) }
        #expect(!gate.enter(8))
        gate.leave(3)
        #expect(gate.enter(8))
        gate.leave(1)
        #expect(!gate.enter(1), "a second one while more than half is taken")
    }

    @Test("has room for machines with nothing under way, however many others flood", arguments: [1, 4, 16, 100])
    func fairness(floods: UInt32) {
        let gate = Gate(most: 256, mostForOne: 16)
        var entered: [UInt32: Int] = [:]
        // In turns, as packets come, and each far more often than it may.
        for _ in 0..<100 {
            for source in 0..<floods where gate.enter(source) { entered[source, default: 0] += 1 }
        }
        #expect(entered.count == Int(floods) && entered.values.allSatisfy { (1...16).contains($0) })
        if floods == 1 { #expect(entered[0] == 15) }
        for newcomer in 1000..<(1000 + 128) as Range<UInt32> { #expect(gate.enter(newcomer)) }
    }

    @Test("stays small however many names are asked for, and forgets no name too early")
    func cache() {
        let cache = AnswerCache()
        for number in 0..<(AnswerCache.capacity * 3) {
            let key = Array("\(number)".utf8)
            cache.keep(.addresses([[10, 0, 0, 1]]), for: key)
            #expect(cache.result(for: key)?.result == .addresses([[10, 0, 0, 1]]))
        }
        #expect(cache.count <= AnswerCache.capacity)
        cache.keep(.failed, for: [1])
        #expect(cache.result(for: [1]) == nil)
    }

    @Test("comes without addresses and marked as cut when they do not fit")
    func cut() throws {
        guard case .question(let question) = DNSQuestion.parse(query("a.b")) else { throw DecodingFailure() }
        let many = (0..<64).map { [10, 0, 0, UInt8($0)] as [UInt8] }
        let reply = DNSReply.make(question, code: 0, addresses: many, ttl: 30, limit: 512)
        #expect(reply.count <= 512)
        #expect(Reply(reply)?.isCut == true && Reply(reply)?.answerCount == 0)
        #expect(Reply(DNSReply.make(question, code: 0, addresses: many, ttl: 30, limit: 65_535))?.answerCount == 64)
    }

    @Test("asks at most three servers of the host's configuration")
    func servers() {
        let text =
            "# nameserver 9.9.9.9\nsearch a\nnameserver 1.1.1.1\nnameserver\t::1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\n"
        #expect(Upstream.parse(text).map(\.host) == ["1.1.1.1", "::1", "2.2.2.2"])
    }

    private struct DecodingFailure: Error {}
}
