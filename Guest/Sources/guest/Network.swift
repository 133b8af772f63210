import CGuest

/// The machine's one link and its names. The addresses are the same in every machine.
enum Network {
    private static let address = "172.16.0.2"
    private static let mask = "255.255.255.252"
    private static let gateway = "172.16.0.1"

    static func setUp() throws(Failure) {
        try Descriptors.checkError(guest_link_up("lo"), "set up lo")
        try nameTheResolver()
        guard guest_has_link("eth0") != 0 else { return }
        // Its namespace on the host has no IPv6: neither announcements nor time-outs for it.
        try? Descriptors.writeFile("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "1")
        try Descriptors.checkError(guest_set_address("eth0", address, mask), "give eth0 its address")
        try Descriptors.checkError(guest_link_up("eth0"), "set up eth0")
        try Descriptors.checkError(guest_add_default_route(gateway), "set the default route")
    }

    /// In every root anew.
    static func nameTheResolver() throws(Failure) {
        try Root.replace("/etc/resolv.conf", "nameserver \(gateway)\n")
    }
}
