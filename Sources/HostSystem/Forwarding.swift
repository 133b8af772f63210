/// The host's forwarding of packets between networks. It is turned on when it was off, and off again by the last server
/// that leaves.
enum Forwarding {
    static let path = "/proc/sys/net/ipv4/ip_forward"

    /// Of the calling thread's namespace.
    static func isOn() throws(HostError) -> Bool { try SystemFile.text(path).hasPrefix("1") }

    static func set(_ isOn: Bool) throws(HostError) { try SystemFile.write(isOn ? "1" : "0", to: path) }

    static func enable(for index: Int) throws(HostError) {
        try InstanceRegister.change { book throws(HostError) in
            if try !isOn() {
                try set(true)
                book.turnedForwardingOn = true
            }
            book.forwarders.insert(index)
        }
    }

    static func disable(for index: Int) throws(HostError) {
        try InstanceRegister.change { book throws(HostError) in
            guard book.forwarders.remove(index) != nil, book.forwarders.isEmpty, book.turnedForwardingOn else { return }
            try set(false)
            book.turnedForwardingOn = false
        }
    }
}
