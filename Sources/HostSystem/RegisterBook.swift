/// What the register's file holds, and how numbers are given out: a value, without any file.
struct RegisterBook: Codable, Equatable, Sendable {
    struct Entry: Codable, Equatable, Sendable {
        var home: String
        var instance: Instance
    }

    var entries: [Entry] = []
    /// The host's start that the two below speak of: after the next one they mean nothing.
    var boot = ""
    var turnedForwardingOn = false
    /// Indices of the servers that need forwarding now.
    var forwarders: Set<Int> = []

    static let firstUID: UInt32 = 0x3000_0000
    static let indices = 1...999

    /// Where subnets come from, the first that fits.
    private static let ranges = ["10.213.0.0/16", "172.29.0.0/16", "100.127.0.0/16", "192.168.0.0/16"].compactMap(
        Network.init)

    /// The entry of `home`, or a new one that collides with no other and with no route of the host's.
    mutating func entry(of home: String, isRoot: Bool, routes: [Route]) throws(HostError) -> Instance {
        if let known = entries.first(where: { $0.home == home }) { return known.instance }
        let used = Set(entries.map(\.instance.index))
        guard let index = Self.indices.first(where: { !used.contains($0) }) else {
            throw HostError("register_full", "This host has \(used.count) servers already, and no number is left.")
        }
        // The route of a bridge with our number is one that its dead owner left.
        let taken = routes.filter { $0.device != "mags-\(index)" }.map(\.network) + entries.map(\.instance.network)
        guard let subnet = Self.subnets.first(where: { subnet in !taken.contains { $0.overlaps(subnet) } }) else {
            throw HostError(
                "no_subnet", "No private network is left for machines: the host's routes cover all that we try.",
                hint: "Free a part of 10.213.0.0/16.")
        }
        let instance = Instance(
            name: name(for: home), index: index,
            uidBase: isRoot ? Self.firstUID + UInt32(index) * Instance.uidCount : 0, subnet: subnet.address)
        entries.append(Entry(home: home, instance: instance))
        return instance
    }

    mutating func release(_ home: String) { entries.removeAll { $0.home == home } }

    private static var subnets: some Sequence<Network> {
        ranges.lazy.flatMap { range in
            (0..<UInt32(1 << (Instance.prefixLength - range.prefixLength))).lazy.map { part in
                Network(range.address + part << UInt32(32 - Instance.prefixLength), Instance.prefixLength)
            }
        }
    }

    /// FNV-1a; a second round for the one in four milliards that collides.
    private func name(for home: String) -> String {
        var seed = ""
        while true {
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325
            for byte in (home + seed).utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            let digits = String(UInt32(truncatingIfNeeded: hash ^ hash >> 32), radix: 16)
            let name = String(repeating: "0", count: 8 - digits.count) + digits
            if !entries.contains(where: { $0.instance.name == name }) { return name }
            seed += "+"
        }
    }
}

extension Instance {
    var network: Network { Network(subnet, Self.prefixLength) }
}
