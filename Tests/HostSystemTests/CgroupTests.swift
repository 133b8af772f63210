import Glibc
import MagsModel
import Testing

@testable import HostSystem

@Suite("A machine's control group")
struct CgroupTests {
    static let canUse = isRoot && MachineCgroup.prepare(instance: instance("probe"), .found()) == nil && clean("probe")

    static func instance(_ name: String) -> Instance {
        Instance(name: "test-\(name)-\(getpid())", index: 900, uidBase: 0x3fff_0000, subnet: 0)
    }

    private static func clean(_ name: String) -> Bool {
        MachineCgroup.removeAll(instance: instance(name))
        return true
    }

    private func folders(_ instance: Instance) -> [String] {
        CgroupLayout.found().roots.map { "\($0.root)/mags-\(instance.name)" }.filter { access($0, F_OK) == 0 }
    }

    @Test("holds the process from its start, and goes when it ended", .enabled(if: canUse))
    func life() async throws {
        let instance = Self.instance("life")
        defer { MachineCgroup.removeAll(instance: instance) }
        let made = try MachineCgroup.make(
            instance: instance, machine: "one", memoryBytes: 64 << 20, pids: 200, cpuShares: 512)
        let cgroup = try #require(made)
        var spec = ProcessSpec(program: "/bin/cat", arguments: ["cat", "/proc/self/cgroup"])
        spec.cgroup = cgroup
        let found = try await outcome(of: spec)
        let joined = found.lines.filter { $0.hasSuffix("/mags-\(instance.name)/one") }
        #expect(joined.count == CgroupLayout.found().roots.count)
        #expect(cgroup.memoryUsage() != nil)
        #expect(!cgroup.processFiles.isEmpty && cgroup.joined.processFiles.isEmpty)
        #expect(cgroup.joined.memoryUsage() != nil)
        #expect(MachineCgroup.existing(instance: instance, machine: "one") != nil)
        cgroup.remove()
        #expect(MachineCgroup.existing(instance: instance, machine: "one") == nil)
        MachineCgroup.removeAll(instance: instance)
        #expect(folders(instance) == [])
    }

    @Test("has a limit for all of a server's machines together, which may be set again", .enabled(if: canUse))
    func together() throws {
        let instance = Self.instance("together")
        defer { MachineCgroup.removeAll(instance: instance) }
        let tree = try #require(CgroupLayout.found().trees["memory"])
        for bytes: UInt64 in [512 << 20, 256 << 20, 1024 << 20] {
            #expect(MachineCgroup.prepare(instance: instance, memoryBytes: bytes) == nil)
            let file = tree.version == .one ? "memory.limit_in_bytes" : "memory.max"
            let text = try SystemFile.text("\(tree.root)/mags-\(instance.name)/\(file)")
            #expect(text == "\(bytes)\n")
        }
    }

    @Test("kills what takes more memory than it may, and counts it", .enabled(if: canUse))
    func limit() async throws {
        let instance = Self.instance("limit")
        defer { MachineCgroup.removeAll(instance: instance) }
        let cgroup = try #require(
            try MachineCgroup.make(
                instance: instance, machine: "one", memoryBytes: 16 << 20, pids: 200, cpuShares: 1024))
        #expect(cgroup.oomKillCount() == 0)
        // A line of 64 MB that has to be held in memory.
        var spec = shell("head -c 64000000 /dev/zero | tr '\\0' x | sort >/dev/null; exit 3")
        spec = ProcessSpec(program: "/bin/sh", arguments: spec.arguments, environment: spec.environment, cgroup: cgroup)
        _ = try await outcome(of: spec)
        #expect(cgroup.oomKillCount() > 0)
    }

    @Test("is emptied by force with all of its server's, except what is to stay", .enabled(if: canUse))
    func force() async throws {
        let instance = Self.instance("force")
        defer { MachineCgroup.removeAll(instance: instance) }
        var children: [String: ChildProcess] = [:]
        for machine in ["gone", "kept"] {
            var spec = ProcessSpec(program: "/bin/sleep", arguments: ["sleep", "600"])
            spec.cgroup = try MachineCgroup.make(
                instance: instance, machine: machine, memoryBytes: 64 << 20, pids: 200, cpuShares: 1024)
            children[machine] = try ChildProcess.spawn(spec)
        }
        MachineCgroup.removeAll(instance: instance, except: ["kept"])
        #expect(await children["gone"]?.waitForExit() == .killed(signal: SIGKILL))
        #expect(children["kept"]?.isAlive == true)
        MachineCgroup.removeAll(instance: instance)
        #expect(await children["kept"]?.waitForExit() == .killed(signal: SIGKILL))
        #expect(folders(instance) == [])
    }

    @Test("has a plain name", arguments: ["", ".", "..", "a/b", "../x", String(repeating: "a", count: 65)])
    func names(name: String) {
        #expect(throws: HostError.self) {
            try MachineCgroup.make(
                instance: Self.instance("names"), machine: name, memoryBytes: 1, pids: 1, cpuShares: 1)
        }
    }

    @Test("is found in either version's trees, or both")
    func layouts() {
        let hybrid = """
            cgroup /sys/fs/cgroup/cpu cgroup rw,cpu,cpuacct 0 0
            cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
            """
        let mixed = CgroupLayout(mounts: hybrid) { _ in "hugetlb pids\n" }
        #expect(mixed.trees["memory"] == .init(version: .one, root: "/sys/fs/cgroup/memory"))
        #expect(mixed.trees["pids"] == .init(version: .two, root: "/sys/fs/cgroup/unified"))
        #expect(mixed.roots.count == 3)
        let two = CgroupLayout(mounts: "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0") { _ in "cpuset cpu io memory pids\n" }
        #expect(two.roots == [.init(version: .two, root: "/sys/fs/cgroup")])
    }

    @Test("that this root may not make is told, with the reason")
    func obstacle() {
        var layout = CgroupLayout(mounts: "") { _ in "" }
        #expect(MachineCgroup.prepare(instance: Self.instance("none"), layout)?.code == "no_cgroups")
        // A file system in which nobody can make a folder, as a container's cgroup trees often are.
        for version in [CgroupLayout.Version.one, .two] {
            layout.trees["memory"] = CgroupLayout.Tree(version: version, root: "/proc/self")
            let obstacle = MachineCgroup.prepare(instance: Self.instance("none"), layout)
            #expect(obstacle?.message.contains("/proc/self/") == true)
            let finding = obstacle.map(Diagnosis.noCgroups)
            #expect(finding?.subject == "cgroups" && finding?.grade == .weaker)
        }
    }
}
