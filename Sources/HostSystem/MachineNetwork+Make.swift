internal import CHost
internal import Glibc

extension MachineNetwork {
    /// What the guest sees is the same in each machine, so that clones of one memory image need no new addresses.
    static let routerAddress = "172.16.0.1"
    package static let guestAddress = "172.16.0.2"
    /// A clone's table of neighbours holds the template's: another address here, and its packets get lost.
    private static let routerMAC = "02:fc:00:00:00:01"

    /// The namespace and the tap, with nothing configured that a process is needed for.
    static func makeEmpty() async throws(HostError) -> MachineNetwork {
        let (namespace, tap) = try await NetworkNamespace.make { () throws(HostError) -> FileDescriptor in
            try set("ipv4/ip_forward", "1")
            // Each refusal is told at once; else a guest that tries many addresses waits for each.
            try set("ipv4/icmp_ratelimit", "0")
            try set("ipv4/conf/all/send_redirects", "0")
            try set("ipv4/conf/default/send_redirects", "0")
            // A kernel without IPv6 has no such files and needs none.
            try? set("ipv6/conf/all/disable_ipv6", "1")
            try? set("ipv6/conf/default/disable_ipv6", "1")
            let opened = chost_open_tap("tap0")
            guard opened >= 0 else { throw HostError(errno: errno, "a tap could not be made") }
            return FileDescriptor(owning: opened)
        }
        return MachineNetwork(tap: tap, namespace: namespace)
    }

    private static func set(_ key: String, _ value: String) throws(HostError) {
        try SystemFile.write(value, to: "/proc/sys/net/\(key)")
    }

    /// Orders for `ip -batch` on the host. The namespace is descriptor 3 there.
    static func cable(_ port: String, to bridge: String) -> String {
        """
        link add \(port) type veth peer name up0 netns /proc/self/fd/3
        link set \(port) addrgenmode none master \(bridge)
        link set \(port) type bridge_slave isolated on
        link set \(port) up

        """
    }

    /// Orders for `ip -batch` inside.
    static func addresses(_ address: String, _ instance: Instance) -> String {
        """
        link set lo up
        link set tap0 address \(routerMAC) up
        address add \(routerAddress)/30 dev tap0
        link set up0 up
        address add \(address)/\(Instance.prefixLength) dev up0
        route add default via \(instance.bridgeAddress)

        """
    }
}
