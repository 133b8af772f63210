internal import Glibc

/// A blocking socket with deadlines; closed with its last reference.
final class Socket: Sendable {
    let number: Int32

    init(owning number: Int32) { self.number = number }

    deinit { close(number) }

    /// `host` is an address, never a name.
    static func connected(to host: String, _ port: UInt16, isStream: Bool, _ deadline: Deadline) -> Socket? {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        hints.ai_socktype = Int32(isStream ? SOCK_STREAM.rawValue : SOCK_DGRAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, "\(port)", &hints, &list) == 0, let entry = list else { return nil }
        defer { freeaddrinfo(entry) }
        let flags = Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let made = socket(entry.pointee.ai_family, entry.pointee.ai_socktype | flags, 0)
        guard made >= 0 else { return nil }
        let socket = Socket(owning: made)
        if connect(made, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0 { return socket }
        guard errno == EINPROGRESS, socket.wait(for: POLLOUT, deadline) else { return nil }
        var error: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(made, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0 ? socket : nil
    }

    func wait(for events: Int32, _ deadline: Deadline) -> Bool {
        var watched = pollfd(fd: number, events: Int16(events), revents: 0)
        while true {
            let count = poll(&watched, 1, Int32(deadline.milliseconds))
            if count < 0, errno == EINTR { continue }
            return count > 0
        }
    }

    func send(_ bytes: [UInt8], _ deadline: Deadline) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard wait(for: POLLOUT, deadline) else { return false }
            let flags = Int32(MSG_NOSIGNAL | MSG_DONTWAIT)
            let count = rest.withUnsafeBytes { Glibc.send(number, $0.baseAddress, $0.count, flags) }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    func receive(exactly count: Int, _ deadline: Deadline) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard let part = receive(upTo: count - bytes.count, deadline), !part.isEmpty else { return nil }
            bytes += part
        }
        return bytes
    }

    func receiveDatagram(_ deadline: Deadline) -> [UInt8]? { receive(upTo: 4096, deadline) }

    private func receive(upTo count: Int, _ deadline: Deadline) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: count)
        while wait(for: POLLIN, deadline) {
            let received = recv(number, &buffer, count, Int32(MSG_DONTWAIT))
            if received < 0, errno == EINTR || errno == EAGAIN { continue }
            return received < 0 ? nil : Array(buffer[..<received])
        }
        return nil
    }
}
