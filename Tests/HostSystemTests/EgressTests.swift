import Glibc
import Testing

@testable import HostSystem

@Suite("What a guest can reach", .enabled(if: NetworkLab.canRun))
struct EgressTests {
    /// Rules that translate addresses but refuse nothing: what the real ones are held against.
    private func openMachine(_ address: String) -> String {
        "flush ruleset\ntable ip nat {\nchain leave {\ntype nat hook postrouting priority srcnat\noifname up0 snat to \(address)\n}\n}\n"
    }
    private let openHost =
        "flush ruleset\ntable ip nat {\nchain leave {\ntype nat hook postrouting priority srcnat\noifname out0 masquerade\n}\n}\n"

    @Test("is the public network, and no address of the host, the private networks or another machine")
    func closed() async throws {
        let lab = try await NetworkLab()
        let guest = try await LabGuest(try await lab.network.makeMachineNetwork(slot: 0))
        let neighbour = try await lab.network.makeMachineNetwork(slot: 1)
        let (own, other) = (lab.instance.machineAddress(0), lab.instance.machineAddress(1))
        let inWorld = [NetworkLab.publicAddress] + NetworkLab.privateAddresses
        let onHost = [lab.instance.bridgeAddress, "198.51.100.1"]
        let listeners = [
            try await LabSocket.listen("0.0.0.0", port: 80, in: lab.world),
            try await LabSocket.listen("0.0.0.0", port: 80, in: lab.host),
            try await LabSocket.listen("0.0.0.0", port: 80, in: neighbour.namespace),
        ]
        defer { withExtendedLifetime(listeners) {} }

        // Without the rules each of them answers: so it is the rules that close.
        try await lab.rules(openMachine(own), in: guest.machine.namespace)
        try await lab.rules("flush ruleset\n", in: neighbour.namespace)
        try await lab.rules(openHost, in: lab.host)
        for port in ["mags-1p0", "mags-1p1"] {
            try await HostTool.run(
                "ip", ["link", "set", port, "type", "bridge_slave", "isolated", "off"], in: lab.host)
        }
        for address in inWorld + onHost + [other] {
            #expect(try await LabSocket.connect(to: address, port: 80, from: guest.inside) == .connected, "\(address)")
        }

        // Without isolation still: the rules alone must do.
        let rules = EgressRules(instance: lab.instance, allowed: [])
        try await lab.rules("flush ruleset\n" + rules.host, in: lab.host)
        try await lab.rules("flush ruleset\n" + rules.machine(address: own), in: guest.machine.namespace)
        #expect(try await LabSocket.connect(to: NetworkLab.publicAddress, port: 80, from: guest.inside) == .connected)
        for address in NetworkLab.privateAddresses + onHost + [other, "172.16.0.1", own] {
            #expect(try await LabSocket.connect(to: address, port: 80, from: guest.inside) != .connected, "\(address)")
        }
        // And each wall alone: the host's, when the machine's is gone.
        try await lab.rules(openMachine(own), in: guest.machine.namespace)
        for address in NetworkLab.privateAddresses + onHost {
            #expect(try await LabSocket.connect(to: address, port: 80, from: guest.inside) != .connected, "\(address)")
        }
    }

    @Test("is not another machine, even when no rule stands between: ports of the bridge do not see each other")
    func isolation() async throws {
        let lab = try await NetworkLab()
        let guest = try await LabGuest(try await lab.network.makeMachineNetwork(slot: 0))
        let neighbour = try await lab.network.makeMachineNetwork(slot: 1)
        let listener = try await LabSocket.listen("0.0.0.0", port: 80, in: neighbour.namespace)
        defer { withExtendedLifetime(listener) {} }
        try await lab.rules(openMachine(lab.instance.machineAddress(0)), in: guest.machine.namespace)
        try await lab.rules("flush ruleset\n", in: neighbour.namespace)
        let other = lab.instance.machineAddress(1)
        #expect(try await LabSocket.connect(to: other, port: 80, from: guest.inside) != .connected)
        #expect(try await LabSocket.connect(to: other, port: 80, from: lab.host) == .connected)
    }

    @Test("is nothing under another source address than its own")
    func spoofing() async throws {
        let lab = try await NetworkLab()
        let guest = try await LabGuest(try await lab.network.makeMachineNetwork(slot: 0))
        let listener = try await LabSocket.listen("0.0.0.0", port: 80, in: lab.world)
        defer { withExtendedLifetime(listener) {} }
        // The way back is there, so that nothing but the rule is in the way.
        try await HostTool.run("ip", ["address", "add", "10.55.5.5/32", "dev", "eth0"], in: guest.inside)
        try await HostTool.run("ip", ["route", "add", "10.55.5.5/32", "dev", "tap0"], in: guest.machine.namespace)
        func connect() async throws -> LabSocket.Answer {
            try await LabSocket.connect(
                to: NetworkLab.publicAddress, port: 80, from: guest.inside, source: "10.55.5.5")
        }
        let own = lab.instance.machineAddress(0)
        try await lab.rules(openMachine(own), in: guest.machine.namespace)
        #expect(try await connect() == .connected)
        let rules = EgressRules(instance: lab.instance, allowed: []).machine(address: own)
        try await lab.rules("flush ruleset\n" + rules, in: guest.machine.namespace)
        #expect(try await connect() == .silent)
        #expect(try await LabSocket.connect(to: NetworkLab.publicAddress, port: 80, from: guest.inside) == .connected)
    }

    @Test("is an allowed private network, when one is configured, and nothing beside it")
    func allowed() async throws {
        let lab = try await NetworkLab(allowed: [try #require(Network("10.99.0.0/24"))])
        let guest = try await LabGuest(try await lab.network.makeMachineNetwork(slot: 0))
        let listener = try await LabSocket.listen("0.0.0.0", port: 80, in: lab.world)
        defer { withExtendedLifetime(listener) {} }
        #expect(try await LabSocket.connect(to: "10.99.0.1", port: 80, from: guest.inside) == .connected)
        #expect(try await LabSocket.connect(to: "192.168.77.1", port: 80, from: guest.inside) == .refused)
    }

    @Test("is what the host's table of connections has room for, whatever a guest opens", arguments: [8, nil])
    func flows(limit: Int?) async throws {
        let lab = try await NetworkLab(connectionLimit: limit)
        let guest = try await LabGuest(try await lab.network.makeMachineNetwork(slot: 0))
        let listener = try await NetworkNamespace.perform(in: lab.world) { () throws(HostError) in
            try ResolverSocket.bind(0, port: 80, type: Int32(SOCK_DGRAM.rawValue))
        }
        let resolver = try await lab.network.resolverSockets()
        for _ in 0..<40 {
            try await LabSocket.sendDatagram("x", to: NetworkLab.publicAddress, port: 80, from: guest.inside)
        }
        // Behind them on the same way, and not forwarded.
        try await LabSocket.sendDatagram("end", to: "172.16.0.1", port: 53, from: guest.inside)
        _ = try await LabSocket.receiveDatagram(resolver.udp)
        var arrived = 0
        if limit == nil {
            while arrived < 40 { arrived += try await LabSocket.receiveDatagram(listener).text == "x" ? 1 : 0 }
        } else {
            _ = try await LabSocket.receiveDatagram(listener)
            arrived = 1
            var byte: UInt8 = 0
            while recv(listener.rawValue, &byte, 1, Int32(MSG_DONTWAIT)) == 1 { arrived += 1 }
            #expect((1...8).contains(arrived))
        }
    }

    @Test(
        "is a quarter of the table, within bounds",
        arguments: [("262144\n", 32_768), ("65536\n", 16_384), ("16\n", 256)])
    func share(size: String, expected: Int) {
        #expect(EgressRules.share(ofTable: size) == expected)
        #expect(EgressRules.share(ofTable: nil) == 16_384)
    }

    @Test("is the resolver, at the address that every guest knows")
    func names() async throws {
        let lab = try await NetworkLab()
        let guest = try await LabGuest(try await lab.network.makeMachineNetwork(slot: 5))
        let sockets = try await lab.network.resolverSockets()
        try await LabSocket.sendDatagram("who?", to: "172.16.0.1", port: 53, from: guest.inside)
        let query = try await LabSocket.receiveDatagram(sockets.udp)
        #expect(query.text == "who?")
        #expect(query.from == lab.instance.machineAddress(5))
        #expect(try await LabSocket.connect(to: "172.16.0.1", port: 53, from: guest.inside) == .connected)
    }
}
