/// Turns a question into a reply.
struct Answerer: Sendable {
    /// A guest asks again after this; an answer that is later is not sent.
    static let limitMilliseconds = 5000

    let upstream: Upstream
    let cache = AnswerCache()

    /// What needs nobody else: nil when it takes a look-up, which blocks.
    func immediate(_ question: DNSQuestion, limit: Int) -> [UInt8]? {
        switch question.type {
        case DNSQuestion.RecordType.aaaa:
            // Guests have no IPv6. The name may exist: no error, and no address.
            return DNSReply.make(question, code: DNSQuestion.Code.noError, limit: limit)
        case DNSQuestion.RecordType.a:
            guard question.hostName != nil else {
                return DNSReply.make(question, code: DNSQuestion.Code.noSuchName, limit: limit)
            }
            guard let (result, ttl) = cache.result(for: question.key) else { return nil }
            return reply(question, result, ttl: ttl, limit: limit)
        default: return nil
        }
    }

    /// Blocks up to the deadline, a little longer when the host's name services do. Nil when it is too late.
    func answer(_ question: DNSQuestion, limit: Int, before deadline: Deadline) -> [UInt8]? {
        if let known = immediate(question, limit: limit) { return known }
        if question.type == DNSQuestion.RecordType.a, let name = question.hostName {
            let result = HostLookup.addresses(of: name)
            cache.keep(result, for: question.key)
            return deadline.hasPassed ? nil : reply(question, result, ttl: 30, limit: limit)
        }
        guard let found = upstream.reply(to: question, before: deadline) else {
            return deadline.hasPassed
                ? nil : DNSReply.make(question, code: DNSQuestion.Code.serverFailure, limit: limit)
        }
        // Cut, without answers: the guest comes back over TCP.
        return found.count <= limit ? found : DNSReply.make(question, code: 0, limit: 0)
    }

    private func reply(_ question: DNSQuestion, _ result: HostLookup.Result, ttl: UInt32, limit: Int) -> [UInt8] {
        switch result {
        case .addresses(let list):
            DNSReply.make(question, code: DNSQuestion.Code.noError, addresses: list, ttl: ttl, limit: limit)
        case .noSuchName: DNSReply.make(question, code: DNSQuestion.Code.noSuchName, limit: limit)
        case .failed: DNSReply.make(question, code: DNSQuestion.Code.serverFailure, limit: limit)
        }
    }
}
