import Testing

@testable import Resolver

@Suite("A query from a guest")
struct QuestionTests {
    private func question(_ bytes: [UInt8]) -> DNSQuestion? {
        if case .question(let question) = DNSQuestion.parse(bytes) { question } else { nil }
    }

    @Test("is understood with its name, type and the size of reply that it takes")
    func whole() throws {
        let plain = try #require(question(query("Example.org", type: 28)))
        #expect(plain.hostName == "Example.org" && plain.type == 28 && plain.replySize == nil && plain.wantsRecursion)
        #expect(question(query("a.b", replySize: 4000))?.replySize == 1232)
        #expect(question(query("a.b", replySize: 0))?.replySize == 512)
    }

    @Test("is turned down when it is more or less than one plain question")
    func rejected() {
        var two = query("a.b")
        two[5] = 2
        var status = query("a.b")
        status[2] = 0x10
        var pointer = query("a.b")
        pointer[12] = 0xc0
        #expect(DNSQuestion.parse(two) == .rejected(id: 0x1234, code: 1))
        #expect(DNSQuestion.parse(status) == .rejected(id: 0x1234, code: 4))
        #expect(DNSQuestion.parse(pointer) == .rejected(id: 0x1234, code: 1))
        #expect(DNSQuestion.parse(query("a.b") + [0]) == .rejected(id: 0x1234, code: 1))
        #expect(DNSQuestion.parse(query("a.b", type: 252)) == .rejected(id: 0x1234, code: 5))
        #expect(DNSQuestion.parse(query("a.b", type: 255)) == .rejected(id: 0x1234, code: 5))
    }

    @Test("is passed over when it is a reply, too short or too long")
    func nothing() {
        var reply = query("a.b")
        reply[2] |= 0x80
        #expect(DNSQuestion.parse(reply) == .nothing)
        #expect(DNSQuestion.parse([]) == .nothing)
        #expect(DNSQuestion.parse(Array(query("a.b").prefix(11))) == .nothing)
        #expect(DNSQuestion.parse([UInt8](repeating: 0, count: 5000)) == .nothing)
    }

    @Test("cannot have a name longer than names may be")
    func length() {
        let label = String(repeating: "a", count: 63)
        #expect(question(query("\(label).\(label).\(label).\(String(repeating: "a", count: 61))")) != nil)
        #expect(question(query("\(label).\(label).\(label).\(String(repeating: "a", count: 62))")) == nil)
        #expect(question(query(String(repeating: "a", count: 64))) == nil)
    }

    @Test(
        "has no host's name when it asks for a number or other bytes",
        arguments: ["127.0.0.1", "2130706433", "0x7f.1", "a b", "a/b", ""])
    func hostNames(name: String) throws { #expect(try #require(question(query(name))).hostName == nil) }

    @Test("is cut anywhere and changed anywhere without harm")
    func fuzz() {
        var generator = SplitMix(state: 20_261_124)
        let whole = query("some.name.example.org", type: 16, replySize: 1232)
        for length in 0..<whole.count { #expect(question(Array(whole.prefix(length))) == nil) }
        for _ in 0..<10_000 {
            var bytes =
                Bool.random(using: &generator)
                ? whole
                : (0..<Int.random(in: 0...600, using: &generator)).map { _ in
                    UInt8.random(in: .min ... .max, using: &generator)
                }
            for _ in 0..<Int.random(in: 0...4, using: &generator) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(
                    in: .min ... .max, using: &generator)
            }
            guard let found = question(bytes) else { continue }
            // Whatever was accepted makes a query that is accepted again, and the same.
            let again = question(DNSReply.query(found, id: found.id))
            #expect(again?.name == found.name && again?.type == found.type)
            _ = found.hostName
            _ = Upstream.answers(bytes, found, found.id)
        }
    }
}

/// The same numbers in each run.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}
