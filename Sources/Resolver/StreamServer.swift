internal import Foundation
internal import Glibc

/// Answers over TCP: a thread for each connection, few connections, and none for long.
struct StreamServer: Sendable {
    let socket: Socket
    let answerer: Answerer
    let gate = Gate(most: 128, mostForOne: 4)

    private static let idleMilliseconds = 5000
    private static let lifeMilliseconds = 30_000

    func run() {
        while true {
            var source = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let accepted = withUnsafeMutablePointer(to: &source) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { accept(socket.number, $0, &length) }
            }
            if accepted < 0 {
                switch errno {
                case EBADF, ENOTSOCK, EINVAL: return
                // Out of descriptors: wait until a connection has come to its end, which none puts off for long.
                case EMFILE, ENFILE, ENOBUFS, ENOMEM: usleep(100_000)
                default: break
                }
                continue
            }
            let connection = Socket(owning: accepted)
            let address = source.sin_addr.s_addr
            guard gate.enter(address) else { continue }
            Thread.detachNewThread {
                serve(connection)
                gate.leave(address)
            }
        }
    }

    private func serve(_ connection: Socket) {
        let life = Deadline(milliseconds: Self.lifeMilliseconds)
        while !life.hasPassed {
            let turn = Deadline(milliseconds: min(Self.idleMilliseconds, life.milliseconds))
            guard let head = connection.receive(exactly: 2, turn) else { return }
            let length = Int(head[0]) << 8 | Int(head[1])
            guard (12...DNSQuestion.longestQuery).contains(length),
                let query = connection.receive(exactly: length, turn), let reply = reply(to: query),
                reply.count <= Int(UInt16.max),
                connection.send(
                    DNSReply.big(UInt16(reply.count)) + reply, Deadline(milliseconds: Self.idleMilliseconds))
            else { return }
        }
    }

    private func reply(to query: [UInt8]) -> [UInt8]? {
        switch DNSQuestion.parse(query) {
        case .nothing: nil
        case .rejected(let id, let code): DNSReply.rejection(id: id, code: code)
        case .question(let question):
            answerer.answer(
                question, limit: Int(UInt16.max), before: Deadline(milliseconds: Answerer.limitMilliseconds))
        }
    }
}
