internal import Glibc

/// The host's name servers, for all that is not an address. Blocks.
struct Upstream: Sendable {
    struct Server: Equatable, Sendable {
        var host: String
        var port: UInt16 = 53
    }

    /// Asked anew for each question: the host's configuration may change.
    var servers: @Sendable () -> [Server]

    static let ofHost = Upstream {
        guard let file = fopen("/etc/resolv.conf", "re") else { return [] }
        defer { fclose(file) }
        var text = [UInt8](repeating: 0, count: 65536)
        let count = fread(&text, 1, text.count, file)
        return parse(String(decoding: text[..<count], as: UTF8.self))
    }

    /// At most three, as the C library does.
    static func parse(_ configuration: String) -> [Server] {
        let servers = configuration.split(separator: "\n").compactMap { line -> Server? in
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            return words.count >= 2 && words[0] == "nameserver" ? Server(host: String(words[1])) : nil
        }
        return Array(servers.prefix(3))
    }

    /// The whole reply with the guest's id, as long as it comes; nil when no server answers before the deadline.
    func reply(to question: DNSQuestion, before deadline: Deadline) -> [UInt8]? {
        for server in servers() {
            let limit = min(deadline.milliseconds, 1500)
            guard limit > 0 else { return nil }
            let id = UInt16.random(in: .min ... .max)
            let query = DNSReply.query(question, id: id)
            guard var reply = ask(server, query, matching: question, id, isStream: false, Deadline(milliseconds: limit))
            else { continue }
            if reply[2] & 0x02 != 0 {
                let whole = ask(server, query, matching: question, id, isStream: true, deadline)
                guard let whole else { continue }
                reply = whole
            }
            reply.replaceSubrange(0..<2, with: DNSReply.big(question.id))
            return reply
        }
        return nil
    }

    private func ask(
        _ server: Server, _ query: [UInt8], matching question: DNSQuestion, _ id: UInt16, isStream: Bool,
        _ deadline: Deadline
    ) -> [UInt8]? {
        guard let socket = Socket.connected(to: server.host, server.port, isStream: isStream, deadline) else {
            return nil
        }
        if isStream {
            guard socket.send(DNSReply.big(UInt16(query.count)) + query, deadline) else { return nil }
            guard let head = socket.receive(exactly: 2, deadline) else { return nil }
            let reply = socket.receive(exactly: Int(head[0]) << 8 | Int(head[1]), deadline)
            return reply.flatMap { Self.answers($0, question, id) ? $0 : nil }
        }
        guard socket.send(query, deadline) else { return nil }
        // Others may send to our port: what does not answer the question is passed over.
        while let reply = socket.receiveDatagram(deadline) {
            if Self.answers(reply, question, id) { return reply }
        }
        return nil
    }

    static func answers(_ reply: [UInt8], _ question: DNSQuestion, _ id: UInt16) -> Bool {
        var reader = ByteReader(reply)
        guard reader.uint16() == id, let flags = reader.uint16(), flags & 0xf800 == 0x8000, reader.uint16() == 1,
            reader.skip(6), let name = reader.name(), reader.uint16() == question.type, reader.uint16() == 1
        else { return false }
        var copy = question
        copy.name = name
        return copy.key == question.key
    }
}
