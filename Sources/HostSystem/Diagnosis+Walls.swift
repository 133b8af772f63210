internal import Glibc
package import MagsModel

/// What stands between machines and this host, and what of it needs root.
extension Diagnosis {
    static func walls(isRoot: Bool, mayMount: Bool, layout: CgroupLayout, obstacle: HostError?) -> [Finding] {
        [users(isRoot: isRoot), network(obstacle), cgroups(layout, isRoot: isRoot)]
            + mounts(isRoot: isRoot, mayMount: mayMount) + (isRoot ? [] : [priority])
    }

    private static let asRoot = "Start the server as root"

    static func users(isRoot: Bool) -> Finding {
        isRoot
            ? Finding(.good, "users", "Each machine's QEMU has a uid of its own without any rights; so has each role.")
            : Finding(
                .weaker, "users",
                "Not root: no uid of its own for each machine. QEMU and the API run as this user (uid \(geteuid())), so "
                    + "one that is broken out of may read and change what this user may.",
                remedy: "\(asRoot), or as a user that owns nothing else.")
    }

    /// Without root `users` says enough.
    static func mounts(isRoot: Bool, mayMount: Bool) -> [Finding] {
        guard isRoot else { return [] }
        return mayMount
            ? [
                Finding(
                    .good, "mounts", "Each QEMU has mounts of its own, in which the host's private folders are empty.")
            ]
            : [
                Finding(
                    .weaker, "mounts",
                    "This root lacks the capability sys_admin: QEMU sees the host's folders, and may open what every user "
                        + "may.",
                    remedy: "Give the container sys_admin, or start the server as root outside of it.")
            ]
    }

    /// `obstacle` is why there is none.
    package static func network(_ obstacle: HostError?) -> Finding {
        guard let obstacle else {
            return Finding(.good, "network", "Each machine has a network of its own, out to the internet alone.")
        }
        let why = obstacle.message.hasSuffix(".") ? obstacle.message : obstacle.message + "."
        return Finding(
            .weaker, "network",
            "Machines have no network: \(why) Scripts reach no address and find no name; files and output go another "
                + "way.",
            remedy: obstacle.hint ?? "Mend that and start the server again.")
    }

    static func cgroups(_ layout: CgroupLayout, isRoot: Bool) -> Finding {
        let missing = CgroupLayout.controllers.filter { layout.trees[$0] == nil }
        if !isRoot {
            return Finding(
                .weaker, "cgroups",
                "Not root: no limits on what a machine's QEMU takes of memory, processor and processes but the "
                    + "machine's own size.",
                remedy: missing.isEmpty ? "\(asRoot)." : "\(asRoot), on a host that has all three.")
        }
        return missing.isEmpty
            ? Finding(.good, "cgroups", layout.description)
            : Finding(
                .weaker, "cgroups",
                "No limit on \(missing.joined(separator: ", ")): this host has \(layout.description).",
                remedy: "Mount control groups with the controllers memory, cpu and pids.")
    }

    /// What a server that is root found when it made them.
    package static func noCgroups(_ obstacle: HostError) -> Finding {
        Finding(
            .weaker, "cgroups",
            "This root may make no control groups: \(obstacle.message) No limits on what a machine's QEMU takes of "
                + "memory, processor and processes but the machine's own size.",
            remedy: "Let the server write to /sys/fs/cgroup (a container needs it mounted for writing), and start it "
                + "again.")
    }

    static let priority = Finding(
        .weaker, "priority",
        "Not root: machines that are made ready in advance compete for the processors with those that run scripts.",
        remedy: "\(asRoot), or keep fewer ready: magsd --pool N.")
}
