import Foundation
import Glibc

@testable import Resolver

/// The resolver on loopback, with a name server of the test's own behind it.
struct ResolverLab {
    let udp: (socket: Int32, port: UInt16)
    let tcp: (socket: Int32, port: UInt16)

    init(upstream: [Upstream.Server] = []) throws {
        udp = try Self.bound(SOCK_DGRAM)
        tcp = try Self.bound(SOCK_STREAM)
        listen(tcp.socket, 16)
        ResolverServer.start(udp: udp.socket, tcp: tcp.socket, upstream: Upstream { upstream })
    }

    /// The servers' threads end, and close the sockets.
    func stop() {
        shutdown(udp.socket, Int32(SHUT_RDWR))
        shutdown(tcp.socket, Int32(SHUT_RDWR))
    }

    static func bound(_ type: __socket_type, port: UInt16 = 0) throws -> (socket: Int32, port: UInt16) {
        let made = socket(AF_INET, Int32(type.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(made, $0, length) + getsockname(made, $0, &length)
            }
        }
        guard result == 0 else {
            close(made)
            throw POSIXError(.EADDRINUSE)
        }
        return (made, UInt16(bigEndian: address.sin_port))
    }

    static let patience = 10_000

    /// Asks over UDP; nil when nothing came.
    func ask(_ query: [UInt8], waiting milliseconds: Int = patience) -> [UInt8]? {
        let deadline = Deadline(milliseconds: milliseconds)
        guard let socket = Socket.connected(to: "127.0.0.1", udp.port, isStream: false, deadline) else { return nil }
        return socket.send(query, deadline) ? socket.receiveDatagram(deadline) : nil
    }

    /// Asks over one TCP connection, one after another.
    func askStream(_ queries: [[UInt8]]) -> [[UInt8]?] {
        let deadline = Deadline(milliseconds: Self.patience)
        guard let socket = Socket.connected(to: "127.0.0.1", tcp.port, isStream: true, deadline) else { return [] }
        return queries.map { query in
            guard socket.send(DNSReply.big(UInt16(query.count)) + query, deadline),
                let head = socket.receive(exactly: 2, deadline)
            else { return nil }
            return socket.receive(exactly: Int(head[0]) << 8 | Int(head[1]), deadline)
        }
    }
}

/// A name server on loopback that answers each query as a closure says, over UDP and TCP.
final class LabNameServer: Sendable {
    let server: Upstream.Server
    private let udp: Int32
    private let tcp: Int32

    init(_ answer: @escaping @Sendable (_ query: [UInt8], _ isStream: Bool) -> [[UInt8]]) throws {
        // Both kinds on one port: another may have taken one of them.
        var sockets: (udp: (socket: Int32, port: UInt16), tcp: (socket: Int32, port: UInt16))?
        while sockets == nil {
            let first = try ResolverLab.bound(SOCK_DGRAM)
            if let second = try? ResolverLab.bound(SOCK_STREAM, port: first.port) {
                sockets = (first, second)
            } else {
                close(first.socket)
            }
        }
        guard let sockets else { throw POSIXError(.EADDRINUSE) }
        (udp, tcp) = (sockets.udp.socket, sockets.tcp.socket)
        server = Upstream.Server(host: "127.0.0.1", port: sockets.udp.port)
        listen(tcp, 4)
        let (udp, tcp) = (udp, tcp)
        Thread.detachNewThread {
            var bytes = [UInt8](repeating: 0, count: 4096)
            var source = sockaddr()
            while true {
                var length = socklen_t(MemoryLayout<sockaddr>.size)
                let count = recvfrom(udp, &bytes, bytes.count, 0, &source, &length)
                guard count > 0 else { break }
                for reply in answer(Array(bytes[..<count]), false) {
                    sendto(udp, reply, reply.count, 0, &source, length)
                }
            }
            close(udp)
        }
        Thread.detachNewThread {
            while case let accepted = accept(tcp, nil, nil), accepted >= 0 {
                let connection = Socket(owning: accepted)
                let deadline = Deadline(milliseconds: ResolverLab.patience)
                guard let head = connection.receive(exactly: 2, deadline),
                    let query = connection.receive(exactly: Int(head[0]) << 8 | Int(head[1]), deadline)
                else { continue }
                for reply in answer(query, true) {
                    _ = connection.send(DNSReply.big(UInt16(reply.count)) + reply, deadline)
                }
            }
            close(tcp)
        }
    }

    deinit {
        shutdown(udp, Int32(SHUT_RDWR))
        shutdown(tcp, Int32(SHUT_RDWR))
    }
}
