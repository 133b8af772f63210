import FoundationEssentials
import Glibc
import HostSystem

/// Removes what an earlier host process of this server left and nobody wants: processes, cgroups, folders, slots.
struct Reaper: Sendable {
    let configuration: EngineConfiguration
    let slots: Slots

    /// Slots of what was left behind are not given away before it is reaped or adopted. Blocks.
    func reserveSlots() {
        for name in MachineFiles.names(in: configuration.machinesFolder) {
            let path = FolderNote.path(in: configuration.machinesFolder + "/" + name)
            if let note = MachineFiles.read(FolderNote.self, from: path) { slots.reserve(note.slot, for: nil) }
        }
    }

    /// - Parameter kept: names that stay; what this process has running stays too.
    func reap(keeping kept: Set<String>) async {
        let instance = configuration.instance
        let machinesFolder = configuration.machinesFolder
        let slots = slots
        let stays: @Sendable (String) -> Bool = { name in kept.contains(name) || slots.names.contains(name) }
        let processes = (try? await blocking("Looking for processes") { Reaper.processes(of: instance) }) ?? []
        for process in processes where !stays(process.name) {
            guard let child = ChildProcess.adopt(pid: process.pid, startTime: process.startTime) else { continue }
            child.signal(SIGKILL)
            _ = await child.waitForExit()
        }
        try? await blocking("Removing machines") {
            for name in MachineFiles.names(in: machinesFolder) where !stays(name) {
                let folder = machinesFolder + "/" + name
                if let note = MachineFiles.read(FolderNote.self, from: FolderNote.path(in: folder)) {
                    slots.release(note.slot)
                }
                MachineFiles.remove(folder)
            }
            MachineCgroup.removeAll(instance: instance, except: kept.union(slots.names))
        }
    }

    private struct Found: Sendable {
        var name: String
        var pid: Int32
        var startTime: UInt64
    }

    /// QEMUs are known by the name on their command line, so that one is found whose folder was never finished.
    private static func processes(of instance: Instance) -> [Found] {
        let prefix = QEMULauncher.processName("", of: instance)
        return MachineFiles.names(in: "/proc").compactMap { entry in
            guard let pid = Int32(entry), let startTime = startTime(of: pid),
                let line = try? Data(contentsOf: URL(filePath: "/proc/\(pid)/cmdline"))
            else { return nil }
            let arguments = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            guard let option = arguments.firstIndex(of: "-name"), option + 1 < arguments.count,
                arguments[option + 1].hasPrefix(prefix)
            else { return nil }
            return Found(name: String(arguments[option + 1].dropFirst(prefix.count)), pid: pid, startTime: startTime)
        }
    }

    private static func startTime(of pid: Int32) -> UInt64? {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return fields.count > 19 ? UInt64(fields[19]) : nil
    }
}
