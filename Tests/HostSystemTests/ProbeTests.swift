import CHost
import Glibc
import MagsModel
import Testing

@testable import HostSystem

@Suite("The host's probe")
struct ProbeTests {
    @Test("says what runs machines and why, and the same a second time")
    func verdict() {
        let first = HostProbe.run()
        let second = HostProbe.run()
        #expect(first.accelerator == second.accelerator)
        #expect(!first.reason.isEmpty && first.reason.hasSuffix("."))
        #expect(!first.hostKernel.isEmpty && !first.cpuModel.isEmpty)
        #if arch(x86_64)
            #expect(first.tscKilohertz > 0 && first.tscKilohertz % 1000 == 0)
        #endif
    }

    @Test("never takes a KVM that opens for one that works")
    func reasons() {
        for step in [chost_kvm_open, chost_kvm_setup, chost_kvm_instructions, chost_kvm_speed, chost_kvm_hung] {
            let reason = HostProbe.reason(
                chost_kvm_verdict(
                    step: Int32(step.rawValue), error: EACCES, exit_reason: 17, suberror: 1, microseconds: 0))
            #expect(reason.hasSuffix("so machines run in software."))
        }
    }

    @Test("finds a firewall that drops what is forwarded")
    func firewalls() {
        let listing = """
            table ip filter {
            \tchain FORWARD {
            \t\ttype filter hook forward priority filter; policy drop;
            \t}
            }
            table ip mags_1 {
            \tchain forward {
            \t\ttype filter hook forward priority filter - 10; policy accept;
            \t}
            }
            """
        #expect(Diagnosis.forwardersThatDrop(listing) == ["ip filter"])
    }

    @Test("tells for each finding that is not good what to do, or why nothing can be done")
    func findings() async {
        let findings = await Diagnosis.hostFindings(home: "/tmp")
        #expect(findings.contains { $0.subject == "accelerator" })
        #expect(findings.filter { $0.grade == .bad }.allSatisfy { $0.remedy != nil })
        let disk = findings.first { $0.subject == "disk" }
        #expect(disk.flatMap { UInt64($0.text.prefix { $0.isNumber }) } ?? 0 > 0)
        let missing = await Diagnosis.hostFindings(home: "/nowhere").first { $0.subject == "disk" }
        #expect(missing?.grade == .bad)
    }

    @Test("lists as an ordinary user each wall that is weaker than as root, and what to do")
    func walls() {
        let layout = CgroupLayout(mounts: "") { _ in "" }
        let obstacle = HostError("network_not_root", "only root can make one.", hint: "Start the server as root.")
        let weaker = Diagnosis.walls(isRoot: false, mayMount: false, layout: layout, obstacle: obstacle)
        #expect(weaker.map(\.subject) == ["users", "network", "cgroups", "priority"])
        #expect(weaker.allSatisfy { $0.grade == .weaker && $0.remedy?.contains("root") == true })
        #expect(weaker.contains { $0.text.contains("no network") })

        let mounts = "cgroup /sys/fs/cgroup/all cgroup rw,memory,cpu,pids 0 0\n"
        let whole = Diagnosis.walls(
            isRoot: true, mayMount: true, layout: CgroupLayout(mounts: mounts) { _ in "" }, obstacle: nil)
        #expect(whole.map(\.subject) == ["users", "network", "cgroups", "mounts"])
        #expect(whole.allSatisfy { $0.grade == .good })
        // Root in a container has its uids, but perhaps neither taps nor control groups.
        let container = Diagnosis.walls(isRoot: true, mayMount: false, layout: layout, obstacle: obstacle)
        #expect(container.map(\.grade) == [.good, .weaker, .weaker, .weaker])
    }

    @Test("keeps what a running server saw, with the host's remedy")
    func merging() {
        let host = [
            Finding(.weaker, "accelerator", "could", remedy: "mend"), Finding(.good, "network", "could"),
            Finding(.good, "disk", "free"),
        ]
        let seen = [Finding(.weaker, "accelerator", "does"), Finding(.weaker, "network", "failed", remedy: "own")]
        #expect(
            Diagnosis.merged(seen: seen, host: host) == [
                Finding(.weaker, "accelerator", "does", remedy: "mend"),
                Finding(.weaker, "network", "failed", remedy: "own"), Finding(.good, "disk", "free"),
            ])
    }

    @Test("knows root of a container from root")
    func capabilities() {
        let full = "Name:\tx\nCapEff:\t000001ffffffffff\n"
        // What container engines leave to root by default.
        let container = "Name:\tx\nCapEff:\t00000000a80425fb\n"
        for capability in [Capability.netAdmin, .sysAdmin] {
            #expect(capability.isHeld(status: full))
            #expect(!capability.isHeld(status: container))
            #expect(!capability.isHeld(status: ""))
        }
    }
}
