internal import Glibc

/// Answers over UDP, for as long as the socket works.
struct DatagramServer: Sendable {
    let socket: Socket
    let answerer: Answerer
    let workers = Workers()

    func run() {
        var buffer = [UInt8](repeating: 0, count: DNSQuestion.longestQuery + 1)
        while true {
            var source = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let count = withUnsafeMutablePointer(to: &source) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(socket.number, &buffer, buffer.count, 0, $0, &length)
                }
            }
            if count < 0 {
                // An ICMP error of an earlier reply shows up here, too.
                if errno == EBADF || errno == ENOTSOCK || errno == EINVAL { return }
                continue
            }
            // A datagram has a sender, even an empty one; the end of a socket that was shut down has none.
            if count == 0, length == 0 { return }
            handle(Array(buffer[..<count]), from: source)
        }
    }

    private func handle(_ query: [UInt8], from source: sockaddr_in) {
        switch DNSQuestion.parse(query) {
        case .nothing: break
        case .rejected(let id, let code): send(DNSReply.rejection(id: id, code: code), to: source)
        case .question(let question):
            let limit = question.replySize ?? 512
            if let reply = answerer.immediate(question, limit: limit) {
                send(reply, to: source)
                return
            }
            let deadline = Deadline(milliseconds: Answerer.limitMilliseconds)
            workers.submit(from: source.sin_addr.s_addr) {
                if let reply = answerer.answer(question, limit: limit, before: deadline) { send(reply, to: source) }
            }
        }
    }

    /// One that does not fit into the socket's buffer is lost, as datagrams may be.
    private func send(_ reply: [UInt8], to target: sockaddr_in) {
        var target = target
        _ = withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(
                    socket.number, reply, reply.count, Int32(MSG_DONTWAIT), $0,
                    socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
