internal import Glibc
package import Logging

/// One server's network on the host: a bridge whose ports cannot see each other, its rules, and a namespace per machine.
/// Everything can be made again over what a crash left.
package actor HostNetwork {
    private let instance: Instance
    let rules: EgressRules
    let logger: Logger
    /// The namespace that plays the host; nil is our own, the only case outside tests.
    let namespace: FileDescriptor?
    var ruleGuard: RuleGuard?

    /// `allowed` networks may be reached although they are private; the host itself and other machines never.
    package init(
        instance: Instance, logger: Logger, allowed: [Network] = [], connectionLimit: Int? = nil,
        namespace: FileDescriptor? = nil
    ) {
        self.instance = instance
        var rules = EgressRules(instance: instance, allowed: allowed)
        rules.connectionLimit = connectionLimit ?? rules.connectionLimit
        self.rules = rules
        self.logger = logger
        self.namespace = namespace
    }

    /// Why this process can make no networks; nil when it can, as far as can be seen without making one.
    package nonisolated static func obstacle() -> HostError? {
        guard geteuid() == 0 else {
            return HostError("network_not_root", "only root can make one.", hint: "Start the server as root.")
        }
        guard Capability.netAdmin.isHeld, Capability.sysAdmin.isHeld else {
            return HostError(
                "network_not_permitted", "this root lacks the capabilities net_admin or sys_admin.",
                hint: "Give the container both, and /dev/net/tun, or start the server as root outside of it.")
        }
        for (tool, package) in [("ip", "iproute2"), ("nft", "nftables")] where HostTool.path(tool) == nil {
            return HostError(
                "network_tool_missing", "the program \(tool) is missing.",
                hint: "Install the package \(package) and start the server again.")
        }
        // Containers often lack it, and where it exists a device group may still forbid it.
        do throws(HostError) {
            _ = try FileDescriptor.open("/dev/net/tun", O_RDWR)
        } catch {
            return HostError(
                "network_no_tun", "\(error.message)",
                hint: "Load the kernel's module tun, or give the container /dev/net/tun, and start the server again.")
        }
        return nil
    }

    package nonisolated static var isAvailable: Bool { obstacle() == nil }

    /// Before the first machine. Machines that an earlier run of the server left keep their connections.
    package func prepare() async throws(HostError) {
        let bridge = instance.bridgeName
        let exists = try await NetworkNamespace.perform(in: namespace) { if_nametoindex(bridge) != 0 }
        // The rules come first: no moment without them.
        try await HostTool.run("nft", ["-f", "-"], input: rules.host, in: namespace)
        try await HostTool.run("ip", ["-batch", "-"], input: bridgeOrders(exists: exists), in: namespace)
        try await NetworkNamespace.perform(in: namespace) {
            try? SystemFile.write("1", to: "/proc/sys/net/ipv6/conf/\(bridge)/disable_ipv6")
        }
        try await setForwarding()
        logger.info("network ready", metadata: ["bridge": "\(bridge)", "subnet": "\(instance.subnetText)"])
    }

    private func bridgeOrders(exists: Bool) -> String {
        let bridge = instance.bridgeName
        // An address of its own, or the bridge would take that of whichever port came last and the machines lose it.
        let index = String(instance.index % 65536 + 65536, radix: 16).suffix(4)
        return """
            \(exists ? "address flush dev \(bridge)" : "link add \(bridge) type bridge forward_delay 0 mcast_snooping 0")
            link set \(bridge) address 02:fc:01:00:\(index.prefix(2)):\(index.suffix(2)) up
            address add \(instance.bridgeAddress)/\(Instance.prefixLength) dev \(bridge)

            """
    }

    private func setForwarding() async throws(HostError) {
        let ofHost = namespace == nil
        let index = instance.index
        try await NetworkNamespace.perform(in: namespace) { () throws(HostError) in
            if ofHost { try Forwarding.enable(for: index) } else { try Forwarding.set(true) }
        }
    }

    /// A namespace with tap, cable and rules, ready for QEMU. `slot` belongs to the caller until both descriptors are closed.
    package func makeMachineNetwork(slot: Int) async throws(HostError) -> MachineNetwork {
        let network = try await MachineNetwork.makeEmpty()
        let address = instance.machineAddress(slot)
        // Neither needs the other: two of the three programs run at once.
        async let refusal = close(network, rules.machine(address: address))
        try await plug(network, slot: slot)
        let orders = MachineNetwork.addresses(address, instance)
        try await HostTool.run("ip", ["-batch", "-"], input: orders, in: network.namespace)
        if let refusal = await refusal { throw refusal }
        return network
    }

    private func close(_ network: MachineNetwork, _ rules: String) async -> HostError? {
        do throws(HostError) {
            try await HostTool.run("nft", ["-f", "-"], input: rules, in: network.namespace)
            return nil
        } catch {
            return error
        }
    }

    private func plug(_ network: MachineNetwork, slot: Int) async throws(HostError) {
        let port = "\(instance.bridgeName)p\(slot)"
        // The last user of the slot has gone, but its cable goes a little later.
        let isStale = try await NetworkNamespace.perform(in: namespace) { if_nametoindex(port) != 0 }
        if isStale { _ = try? await HostTool.run("ip", ["link", "delete", port], in: namespace) }
        try await HostTool.run(
            "ip", ["-batch", "-"], input: MachineNetwork.cable(port, to: instance.bridgeName), in: namespace,
            descriptors: [3: network.namespace])
    }

    /// Sockets for the resolver, bound to the bridge's port 53; after `prepare`.
    package func resolverSockets() async throws(HostError) -> (udp: FileDescriptor, tcp: FileDescriptor) {
        let address = instance.subnet + 1
        return try await NetworkNamespace.perform(in: namespace) { () throws(HostError) in
            (
                udp: try ResolverSocket.bind(address, type: Int32(SOCK_DGRAM.rawValue)),
                tcp: try ResolverSocket.bind(address, type: Int32(SOCK_STREAM.rawValue))
            )
        }
    }

    /// Takes all away again; machines that still run lose their network.
    package func remove() async {
        await endGuard()
        let bridge = instance.bridgeName
        do throws(HostError) {
            let links = try await NetworkNamespace.perform(in: namespace) { NetworkLinks.names() }
            let ours = links.filter { $0 == bridge || $0.hasPrefix("\(bridge)p") }
            let orders = ours.map { "link delete \($0)\n" }.joined()
            // A machine that ends in this moment takes its cable along.
            if !ours.isEmpty { try await HostTool.run("ip", ["-force", "-batch", "-"], input: orders, in: namespace) }
        } catch {
            logger.warning("links not removed", metadata: ["error": "\(error)"])
        }
        do throws(HostError) {
            try await HostTool.run("nft", ["-f", "-"], input: rules.removal, in: namespace)
            if namespace == nil { try Forwarding.disable(for: instance.index) }
        } catch {
            logger.warning("rules not removed", metadata: ["error": "\(error)"])
        }
    }
}
