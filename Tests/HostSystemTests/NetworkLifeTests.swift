import Glibc
import Testing

@testable import HostSystem

@Suite("A machine's network", .enabled(if: NetworkLab.canRun))
struct NetworkLifeTests {
    /// The kernel takes a namespace apart some time after its last holder has gone.
    private func vanished(_ link: String, in namespace: FileDescriptor) async throws -> Bool {
        try await NetworkNamespace.perform(in: namespace) {
            for _ in 0..<3000 where if_nametoindex(link) != 0 { poll(nil, 0, 10) }
            return if_nametoindex(link) == 0
        }
    }

    @Test("lives as long as the process that holds its tap, and vanishes when that is killed")
    func vanishes() async throws {
        let lab = try await NetworkLab()
        let holder = try await { () async throws -> ChildProcess in
            let network = try await lab.network.makeMachineNetwork(slot: 3)
            var spec = ProcessSpec(program: "/bin/sleep", arguments: ["sleep", "600"])
            spec.descriptors = [3: network.tap]
            return try ChildProcess.spawn(spec)
        }()
        // Only the holder's copy of the tap is left.
        #expect(try await NetworkLab.links(in: lab.host).contains("mags-1p3"))
        holder.signal(SIGKILL)
        _ = await holder.waitForExit()
        #expect(try await vanished("mags-1p3", in: lab.host))
        // And the slot can be used again, whether the kernel was done or not.
        let again = try await lab.network.makeMachineNetwork(slot: 3)
        #expect(try await NetworkLab.links(in: lab.host).contains("mags-1p3"))
        withExtendedLifetime(again) {}
    }

    @Test("can take over a slot whose last network is still going")
    func staleSlot() async throws {
        let lab = try await NetworkLab()
        let first = try await lab.network.makeMachineNetwork(slot: 0)
        let second = try await lab.network.makeMachineNetwork(slot: 0)
        #expect(try await NetworkLab.links(in: second.namespace).contains("up0"))
        #expect(try await NetworkLab.links(in: first.namespace).contains("up0") == false)
    }

    @Test("is prepared again over what a crash left, and taken away whole")
    func idempotence() async throws {
        let lab = try await NetworkLab()
        let machine = try await lab.network.makeMachineNetwork(slot: 0)
        try await lab.network.prepare()
        #expect(try await NetworkLab.links(in: lab.host).contains("mags-1p0"))
        await lab.network.remove()
        #expect(try await NetworkLab.links(in: lab.host) == ["lo", "out0"])
        #expect(try await HostTool.run("nft", ["list", "ruleset"], in: lab.host) == "")
        withExtendedLifetime(machine) {}
    }

    @Test("has no IPv6")
    func onlyIPv4() async throws {
        let lab = try await NetworkLab()
        let machine = try await lab.network.makeMachineNetwork(slot: 0)
        #expect(try await HostTool.run("ip", ["-6", "address"], in: machine.namespace) == "")
        let bridge = try await HostTool.run("ip", ["-6", "address", "show", "dev", "mags-1"], in: lab.host)
        #expect(bridge == "")
    }

    @Test("keeps a rule that root has added, and misses one that is gone or in another place")
    func wholeness() {
        #expect(HostNetwork.rules("a\nb\nc", stand: "a\nnew\nb\nc\n"))
        for listing in ["", "a\nb", "b\nc", "a\nc\nb"] { #expect(!HostNetwork.rules("a\nb\nc", stand: listing)) }
    }

    @Test("has its rules back whatever somebody takes of them, and not once it was taken away")
    func guarded() async throws {
        let lab = try await NetworkLab()
        try await lab.network.prepareGuarded()
        let watch = try await RuleWatch.begin(in: lab.host)
        let list = ["list", "table", "ip", "mags_1"]
        let before = try await HostTool.run("nft", list, in: lab.host)
        #expect(before.contains("reject"))
        for orders in [
            ["flush", "ruleset"], ["delete", "table", "ip", "mags_1"], ["flush", "table", "ip", "mags_1"],
            ["flush", "chain", "ip", "mags_1", "input"],
        ] {
            try await HostTool.run("nft", orders, in: lab.host)
            var now: String?
            while now != before, try await watch.next() { now = try? await HostTool.run("nft", list, in: lab.host) }
            #expect(now == before)
            #expect(await lab.network.ruleFinding() == nil)
        }
        await lab.network.remove()
        #expect(try await HostTool.run("nft", ["list", "ruleset"], in: lab.host) == "")
        watch.stop()
        while try await watch.next() {}
    }
}
