internal import Glibc

enum ResolverSocket {
    static func bind(_ address: UInt32, port: UInt16 = 53, type: Int32) throws(HostError) -> FileDescriptor {
        let made = socket(AF_INET, type | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard made >= 0 else { throw HostError(errno: errno, "a socket for the resolver could not be made") }
        let socket = FileDescriptor(owning: made)
        var one: Int32 = 1
        setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = port.bigEndian
        target.sin_addr.s_addr = address.bigEndian
        let bound = withUnsafePointer(to: &target) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(made, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard bound == 0, type != Int32(SOCK_STREAM.rawValue) || listen(made, 64) == 0 else {
            throw HostError(
                errno: errno, code: "resolver_port", "\(IPv4.text(address)), port \(port), could not be bound",
                hint: "Another name server may listen on every address: bind it to the host's own ones.")
        }
        return socket
    }
}
