import Glibc

@testable import HostSystem

/// Sockets inside the lab's namespaces.
enum LabSocket {
    enum Answer: Equatable { case connected, refused, silent }

    /// Listens there; connections are accepted by the kernel alone, which is all that `connect` needs.
    static func listen(_ address: String, port: UInt16, in namespace: FileDescriptor) async throws -> FileDescriptor {
        let number = IPv4.parse(address) ?? 0
        return try await NetworkNamespace.perform(in: namespace) { () throws(HostError) in
            try ResolverSocket.bind(number, port: port, type: Int32(SOCK_STREAM.rawValue))
        }
    }

    /// `silent` after a second: longer than any answer within one kernel takes.
    static func connect(
        to address: String, port: UInt16, from namespace: FileDescriptor, source: String? = nil
    ) async throws -> Answer {
        try await NetworkNamespace.perform(in: namespace) { () throws(HostError) -> Answer in
            let made = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            let socket = FileDescriptor(owning: made)
            if let source, !call(Glibc.bind, socket, source, 0) { throw HostError(errno: errno, "no source address") }
            var limit = timeval(tv_sec: 1, tv_usec: 0)
            setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            if call(Glibc.connect, socket, address, port) { return .connected }
            return errno == EINPROGRESS || errno == EAGAIN || errno == ETIMEDOUT ? .silent : .refused
        }
    }

    static func sendDatagram(_ text: String, to address: String, port: UInt16, from namespace: FileDescriptor)
        async throws
    {
        try await NetworkNamespace.perform(in: namespace) { () throws(HostError) in
            let socket = FileDescriptor(owning: socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
            guard call(Glibc.connect, socket, address, port), send(socket.rawValue, text, text.utf8.count, 0) > 0 else {
                throw HostError(errno: errno, "not sent")
            }
        }
    }

    /// Sender's address and text; waits up to ten seconds.
    static func receiveDatagram(_ socket: FileDescriptor) async throws -> (from: String, text: String) {
        try await NetworkNamespace.perform(in: nil) { () throws(HostError) in
            var watched = pollfd(fd: socket.rawValue, events: Int16(POLLIN), revents: 0)
            guard poll(&watched, 1, 10_000) == 1 else { throw HostError("silent", "nothing came") }
            var bytes = [UInt8](repeating: 0, count: 512)
            var source = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let count = withUnsafeMutablePointer(to: &source) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(socket.rawValue, &bytes, bytes.count, 0, $0, &length)
                }
            }
            return (
                IPv4.text(UInt32(bigEndian: source.sin_addr.s_addr)),
                String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
            )
        }
    }

    private static func call(
        _ function: (Int32, UnsafePointer<sockaddr>?, socklen_t) -> Int32, _ socket: FileDescriptor, _ address: String,
        _ port: UInt16
    ) -> Bool {
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = port.bigEndian
        target.sin_addr.s_addr = (IPv4.parse(address) ?? 0).bigEndian
        return withUnsafePointer(to: &target) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                function(socket.rawValue, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        } == 0
    }
}
