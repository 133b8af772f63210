internal import Glibc
package import MagsModel

/// What `doctor` says of the host.
package enum Diagnosis {
    /// Looks at everything anew, which takes 50 ms, or 3 s where KVM hangs.
    package static func hostFindings(home: String) async -> [Finding] {
        let isRoot = geteuid() == 0
        let verdict = try? await SystemThread.perform { HostProbe.run() }
        return (verdict.map { [accelerator($0)] } ?? []) + tools(isRoot: isRoot)
            + walls(
                isRoot: isRoot, mayMount: Capability.sysAdmin.isHeld, layout: .found(), obstacle: HostNetwork.obstacle()
            )
            + [memory(), disk(home: home)]
            + (isRoot ? [forwarding(), await firewall()].compactMap(\.self) : [])
    }

    /// The same on a running server. What was `seen` at work counts for more than what the host could do.
    package static func hostFindings(home: String, seen: [Finding]) async -> [Finding] {
        merged(seen: seen, host: await hostFindings(home: home))
    }

    static func merged(seen: [Finding], host: [Finding]) -> [Finding] {
        let seen = seen.map { finding in
            var finding = finding
            let same = host.first { $0.subject == finding.subject && $0.grade == finding.grade }
            finding.remedy = finding.remedy ?? same?.remedy
            return finding
        }
        return seen + host.filter { finding in !seen.contains { $0.subject == finding.subject } }
    }

    static func accelerator(_ verdict: HostProbe.Verdict) -> Finding {
        verdict.accelerator == .kvm
            ? Finding(.good, "accelerator", verdict.reason)
            : Finding(
                .weaker, "accelerator", "\(verdict.reason) They are safe, but compute 15 to 20 times slower.",
                remedy: "Use a host with hardware virtualisation, and let this user open /dev/kvm.")
    }

    private struct Tool {
        var name: String
        var package: String
        var isForRoot = false
    }

    private static let wanted = [
        Tool(name: "qemu-system-x86_64", package: "qemu-system-x86"), Tool(name: "qemu-img", package: "qemu-utils"),
        Tool(name: "mkfs.ext4", package: "e2fsprogs"), Tool(name: "ip", package: "iproute2", isForRoot: true),
        Tool(name: "nft", package: "nftables", isForRoot: true),
    ]

    static func tools(isRoot: Bool) -> [Finding] {
        wanted.filter { isRoot || !$0.isForRoot }.map { tool in
            HostTool.path(tool.name).map { Finding(.good, tool.name, $0) }
                ?? Finding(
                    .bad, tool.name, "The program \(tool.name) is missing.",
                    remedy: "Install the package \(tool.package).")
        }
    }

    static func memory() -> Finding {
        let lines = (try? SystemFile.text("/proc/meminfo"))?.split(separator: "\n") ?? []
        func mebibytes(_ key: String) -> Int? {
            lines.first { $0.hasPrefix(key + ":") }
                .flatMap { $0.split(separator: " ").dropFirst().first.flatMap { Int($0) } }.map { $0 / 1024 }
        }
        guard let total = mebibytes("MemTotal"), let free = mebibytes("MemAvailable") else {
            return Finding(.weaker, "memory", "The host does not say how much memory it has.")
        }
        let text = "\(free) MiB of \(total) MiB are free."
        return free < 1024
            ? Finding(
                .weaker, "memory", text, remedy: "Free some memory: a machine of the usual size takes up to 1,280 MiB.")
            : Finding(.good, "memory", text)
    }

    static func disk(home: String) -> Finding {
        var status = statvfs()
        guard statvfs(home, &status) == 0, status.f_blocks > 0 else {
            return Finding(
                .bad, "disk", "\(home): \(HostError.text(errno)).", remedy: "Make the folder, or name another.")
        }
        let free = (UInt64(status.f_bavail) * UInt64(status.f_frsize)) >> 20
        let percent = UInt64(status.f_bavail) * 100 / UInt64(status.f_blocks)
        let text = "\(free) MiB (\(percent) %) are free for \(home)."
        if percent < 5 {
            return Finding(.bad, "disk", "\(text) Below 5 % no new machine starts.", remedy: "Free some space there.")
        }
        return percent < 10
            ? Finding(.weaker, "disk", text, remedy: "Below 5 % no new machine starts.") : Finding(.good, "disk", text)
    }

    static func forwarding() -> Finding {
        guard let isOn = try? Forwarding.isOn() else {
            return Finding(.weaker, "forwarding", "The host does not say whether it forwards packets.")
        }
        return Finding(
            .good, "forwarding",
            isOn
                ? "The host forwards packets."
                : "The host forwards no packets now; the server turns it on while it runs.")
    }

    /// Another table's verdict counts as much as ours: one that drops whatever it does not know drops machines' packets.
    static func firewall() async -> Finding? {
        guard HostTool.path("nft") != nil, let listing = try? await HostTool.run("nft", ["list", "chains"]) else {
            return nil
        }
        let closed = forwardersThatDrop(listing)
        guard !closed.isEmpty else { return Finding(.good, "firewall", "No table of the host drops what it forwards.") }
        return Finding(
            .weaker, "firewall",
            "Packets of machines may be lost: \(closed.joined(separator: ", ")) drops what is forwarded.",
            remedy: "Let that chain accept packets from and to the bridges mags-*.")
    }

    /// Tables, in the words of `nft list chains`, with a forward chain whose policy is to drop.
    static func forwardersThatDrop(_ listing: String) -> [String] {
        var table = ""
        var found: [String] = []
        for line in listing.split(separator: "\n").map({ $0.drop { $0 == "\t" || $0 == " " } }) {
            if line.hasPrefix("table ") { table = String(line.dropFirst(6).prefix { $0 != "{" }.dropLast()) }
            if line.contains("hook forward"), line.contains("policy drop") { found.append(table) }
        }
        return found
    }
}
