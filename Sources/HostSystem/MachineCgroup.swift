internal import CHost
internal import Glibc

/// The control group of one machine's processes: `mags-<instance>/<machine>` in each tree that the host has.
package struct MachineCgroup: Sendable {
    /// `cgroup.procs` of each tree, open so that the child can join before it is anything else.
    package let processFiles: [FileDescriptor]
    private let folders: [String]
    private let memory: (folder: String, version: CgroupLayout.Version)?

    /// QEMU with fewer aborts in the middle of a disk burst: it makes up to 64 workers.
    static let fewestProcesses = 128

    /// Nil when we are not root or the host has no control groups that we may use. `cpuShares`: 1,024 is the usual.
    package static func make(
        instance: Instance, machine: String, memoryBytes: UInt64, pids: Int, cpuShares: Int
    ) throws(HostError) -> MachineCgroup? {
        guard isName(machine) else { throw HostError("bad_name", "A control group cannot be called '\(machine)'.") }
        let layout = CgroupLayout.found()
        guard geteuid() == 0, prepare(instance: instance, layout) == nil else { return nil }
        let cgroup = MachineCgroup(layout, instance: instance, machine: machine)
        do throws(HostError) {
            for folder in cgroup.folders {
                guard mkdir(folder, 0o755) == 0 || errno == EEXIST else {
                    throw HostError(errno: errno, "the control group \(folder) could not be made")
                }
            }
            for setting in CgroupSetting.limits(
                memoryBytes: memoryBytes, pids: max(pids, fewestProcesses), cpuShares: cpuShares)
            {
                try setting.apply(in: layout, path: path(instance, machine))
            }
            return try cgroup.opened()
        } catch {
            cgroup.remove()
            throw error
        }
    }

    /// The group of a machine that is adopted; nil when there is none.
    package static func existing(instance: Instance, machine: String) -> MachineCgroup? {
        guard isName(machine) else { return nil }
        let cgroup = MachineCgroup(.found(), instance: instance, machine: machine)
        return cgroup.folders.contains { access($0, F_OK) == 0 } ? cgroup : nil
    }

    /// Makes the server's own folders, which `make` does too.
    ///
    /// - Parameter memoryBytes: for all machines together: below what the host has, so that machines which take all that
    ///   they may are ended before anything else of the host is.
    /// - Returns: why the host does not let us; nil when it does.
    package static func prepare(instance: Instance, memoryBytes: UInt64) -> HostError? {
        let layout = CgroupLayout.found()
        if let obstacle = prepare(instance: instance, layout) { return obstacle }
        // Twice: a limit that grows must follow that of memory with swap, one that shrinks must go before it.
        for setting in CgroupSetting.memory(memoryBytes) + CgroupSetting.memory(memoryBytes) {
            try? setting.apply(in: layout, path: "mags-\(instance.name)")
        }
        return nil
    }

    static func prepare(instance: Instance, _ layout: CgroupLayout) -> HostError? {
        guard !layout.roots.isEmpty else { return HostError("no_cgroups", "none are mounted.") }
        do throws(HostError) {
            for tree in layout.roots {
                let folder = "\(tree.root)/mags-\(instance.name)"
                if access(folder, F_OK) == 0 { continue }
                if tree.version == .two { try delegate(layout, tree.root) }
                guard mkdir(folder, 0o755) == 0 || errno == EEXIST else {
                    throw HostError(errno: errno, "the control group \(folder) could not be made")
                }
                if tree.version == .two { try delegate(layout, folder) }
            }
            return nil
        } catch {
            return error
        }
    }

    /// Version 2 gives a folder's children only the controllers that the folder names.
    private static func delegate(_ layout: CgroupLayout, _ folder: String) throws(HostError) {
        let words = CgroupLayout.controllers.filter { layout.trees[$0]?.version == .two }.map { "+\($0)" }
        try SystemFile.write(words.joined(separator: " "), to: "\(folder)/cgroup.subtree_control")
    }

    /// The same without the files that a process joins by: each costs a descriptor.
    package var joined: MachineCgroup { MachineCgroup(self, []) }

    /// The processes must have ended. Does nothing where the folders are gone.
    /// Blocks for a moment.
    package func remove() { for folder in folders { Self.removeEmpty(folder) } }

    /// How often the kernel killed in it because its memory was full.
    package func oomKillCount() -> Int {
        guard let memory else { return 0 }
        let file = memory.version == .one ? "memory.oom_control" : "memory.events"
        let text = (try? SystemFile.text("\(memory.folder)/\(file)")) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("oom_kill ") }
        return line.flatMap { Int($0.dropFirst("oom_kill ".count)) } ?? 0
    }

    /// Bytes charged to it, page cache included.
    package func memoryUsage() -> UInt64? {
        guard let memory else { return nil }
        let file = memory.version == .one ? "memory.usage_in_bytes" : "memory.current"
        let text = try? SystemFile.text("\(memory.folder)/\(file)")
        return text.flatMap { UInt64($0.split(separator: "\n").first ?? "") }
    }

    /// Kills what is left in the server's groups and removes them, except the named machines'. Blocks until the processes
    /// have ended, at most 5 s for each: not for the cooperative pool.
    package static func removeAll(instance: Instance, except kept: Set<String> = []) {
        for tree in CgroupLayout.found().roots {
            let folder = "\(tree.root)/mags-\(instance.name)"
            for machine in SystemFile.folders(in: folder) where !kept.contains(machine) {
                killAll(in: "\(folder)/\(machine)")
                removeEmpty("\(folder)/\(machine)")
            }
            rmdir(folder)
        }
    }

    /// A group stays busy for a moment after its last process has ended, and nothing tells when it no longer is.
    private static func removeEmpty(_ folder: String) {
        for _ in 0..<100 where rmdir(folder) != 0 && errno == EBUSY { usleep(10_000) }
    }

    private static func killAll(in folder: String) {
        let listed = (try? SystemFile.text("\(folder)/cgroup.procs")) ?? ""
        for pid in listed.split(separator: "\n").compactMap({ Int32($0) }) where pid > 1 {
            let opened = chost_pidfd_open(pid)
            guard opened >= 0 else { continue }
            let pidfd = FileDescriptor(owning: opened)
            // Still listed after the open: the descriptor holds that process and no later one.
            let still = (try? SystemFile.text("\(folder)/cgroup.procs")) ?? ""
            guard still.split(separator: "\n").contains(Substring(String(pid))) else { continue }
            _ = chost_pidfd_signal(pidfd.rawValue, SIGKILL)
            _ = chost_pidfd_wait(pidfd.rawValue, 5000)
        }
    }

    private init(_ layout: CgroupLayout, instance: Instance, machine: String, processFiles: [FileDescriptor] = []) {
        let path = Self.path(instance, machine)
        folders = layout.roots.map { "\($0.root)/\(path)" }
        memory = layout.trees["memory"].map { ("\($0.root)/\(path)", $0.version) }
        self.processFiles = processFiles
    }

    private func opened() throws(HostError) -> MachineCgroup {
        var files: [FileDescriptor] = []
        for folder in folders { files.append(try .open("\(folder)/cgroup.procs", O_WRONLY)) }
        return MachineCgroup(self, files)
    }

    private init(_ other: MachineCgroup, _ files: [FileDescriptor]) {
        folders = other.folders
        memory = other.memory
        processFiles = files
    }

    private static func path(_ instance: Instance, _ machine: String) -> String { "mags-\(instance.name)/\(machine)" }

    private static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}
