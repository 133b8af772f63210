/// What a machine may reach, as rules for `nft`. They are kept twice: in the machine's own namespace, where a refusal is
/// told to the guest, and on the host, so that one mistake opens nothing. The host itself is closed by its input rule:
/// whatever address of its a packet is for, it ends there.
struct EgressRules: Sendable {
    let instance: Instance
    /// Networks that are open although `closed` covers them.
    let allowed: [Network]
    /// Flows of all machines together, in the host's table.
    var connectionLimit = EgressRules.share(ofTable: try? SystemFile.text(EgressRules.tableSizePath))

    private static let tableSizePath = "/proc/sys/net/netfilter/nf_conntrack_max"

    /// A quarter of the host's table of connections, so that machines cannot fill it for everybody else; not more than the
    /// kernel counts through in a moment, which it does for each new flow.
    static func share(ofTable size: String?) -> Int {
        let size = size.flatMap { Int($0.filter(\.isNumber)) } ?? 65_536
        return min(max(size / 4, 256), 32_768)
    }

    /// This network, private, shared, loopback, link-local, protocol assignments, benchmarks, multicast and the rest.
    static let closed = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
    ]

    private var closedSet: String { "{ \(Self.closed.joined(separator: ", ")) }" }

    private func allowance(_ condition: String) -> String {
        allowed.map { "\(condition) ip daddr \($0) accept" }.joined(separator: "\n        ")
    }

    /// For a machine's namespace. The guest is hostile: it has one source address, no way in, and 4,096 flows, so that it
    /// cannot fill the host's table of connections.
    func machine(address: String) -> String {
        let guest = MachineNetwork.guestAddress
        let resolver = instance.bridgeAddress
        return """
            table ip mags {
              chain source {
                type filter hook prerouting priority raw; policy accept;
                iifname "tap0" ip saddr != \(guest) drop
              }
              chain names {
                type nat hook prerouting priority dstnat; policy accept;
                iifname != "tap0" return
                ip daddr \(MachineNetwork.routerAddress) meta l4proto { tcp, udp } th dport 53 dnat to \(resolver)
              }
              chain input {
                type filter hook input priority filter; policy drop;
                ct state established,related accept
                iifname "lo" accept
                iifname != "tap0" drop
                icmp type echo-request limit rate 50/second accept
                reject with icmp type admin-prohibited
              }
              chain forward {
                type filter hook forward priority filter; policy drop;
                ct state invalid drop
                ct state established,related accept
                iifname != "tap0" drop
                oifname != "up0" drop
                ct state new ct count over 4096 drop
                ip daddr \(resolver) ct status dnat meta l4proto { tcp, udp } th dport 53 accept
                ip daddr \(instance.subnetText) reject with icmp type admin-prohibited
                \(allowance(""))
                ip daddr \(closedSet) reject with icmp type admin-prohibited
                accept
              }
              chain leave {
                type nat hook postrouting priority srcnat; policy accept;
                oifname "up0" snat to \(address)
              }
            }

            """
    }

    /// Named by the bridge's number, so that the next owner of a number replaces what a dead one left.
    var tableName: String { "mags_\(instance.index)" }

    /// For the host. Replaces the table as a whole or not at all.
    var host: String {
        let bridge = instance.bridgeName
        let resolver = instance.bridgeAddress
        return """
            table ip \(tableName)
            delete table ip \(tableName)
            table ip \(tableName) {
              chain input {
                type filter hook input priority filter - 10; policy accept;
                iifname != "\(bridge)" accept
                ct state established,related accept
                ip saddr \(instance.subnetText) ip daddr \(resolver) meta l4proto { tcp, udp } th dport 53 accept
                reject with icmp type admin-prohibited
              }
              chain forward {
                type filter hook forward priority filter - 10; policy accept;
                oifname "\(bridge)" ct state established,related accept
                oifname "\(bridge)" drop
                iifname != "\(bridge)" accept
                ip saddr != \(instance.subnetText) drop
                ip daddr \(instance.subnetText) drop
                ct state new ct count over \(connectionLimit) drop
                \(allowance(""))
                ip daddr \(closedSet) drop
              }
              chain leave {
                type nat hook postrouting priority srcnat; policy accept;
                ip saddr \(instance.subnetText) oifname != "\(bridge)" masquerade
              }
            }

            """
    }

    var removal: String { "table ip \(tableName)\ndelete table ip \(tableName)\n" }
}
