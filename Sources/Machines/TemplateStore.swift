import FoundationEssentials
import Glibc
import HostSystem
import Logging

/// Templates on disk, shared by all servers that use this cache: `templates/<key>/{ram,state,upper.img,template.json}`.
/// Everything here blocks.
struct TemplateStore: Sendable {
    /// More than the newest few of them nobody needs: about 100 MB each.
    static let keptOnDisk = 8

    /// Behind the name of one that is being built.
    private static let unfinished = ".building"

    let folder: String
    let logger: Logger

    func path(of key: TemplateKey) -> String { folder + "/" + key.name }

    /// The template, if it is there and whole; a damaged one is removed.
    func load(_ key: TemplateKey, kind: MachineKind, image: ImageFiles) throws(MachineError) -> Template? {
        let path = path(of: key)
        let notePath = path + "/template.json"
        guard MachineFiles.exists(path) else { return nil }
        do {
            guard let note = MachineFiles.read(TemplateNote.self, from: notePath), note.key == key else {
                throw MachineError("template_damaged", "The template \(path) does not say what it is.")
            }
            let (memory, memoryResult) = try SparseCopy.sealedCopy(of: open(path + "/ram"), name: "template")
            let (state, stateResult) = try SparseCopy.sealedCopy(of: open(path + "/state"), name: "state")
            let upper = try open(path + "/upper.img")
            guard memoryResult == note.memory, stateResult == note.state,
                try SparseCopy.copy(from: upper, to: nil) == note.upper
            else { throw MachineError("template_damaged", "The template \(path) is damaged.") }
            utimes(notePath, nil)
            return Template(
                key: key, kind: kind, memory: memory, devices: state, root: try open(image.root), upper: upper,
                wirePosition: note.wirePosition)
        } catch {
            logger.warning("template thrown away", metadata: ["error": "\(error)"])
            remove(key)
            return nil
        }
    }

    func remove(_ key: TemplateKey) { MachineFiles.remove(path(of: key)) }

    /// Waits for the right to build this template: of two servers that share the cache one builds, the other then finds
    /// it. Held until the descriptor is closed. It may take minutes, so a thread of its own waits; when the task is
    /// cancelled, that thread is left to itself.
    func lock(_ key: TemplateKey) async throws(MachineError) -> FileDescriptor {
        let path = path(of: key)
        try await blocking("Locking a template") { try MachineFiles.makeFolder(folder) }
        let wait = AbandonableWait<FileDescriptor>()
        do {
            return try await wait.value { () throws(HostError) in
                guard let file = try FolderLock.take(path, waiting: true) else {
                    throw HostError("template_lock", "The template \(path) cannot be locked.")
                }
                return file
            }
        } catch {
            throw MachineError("Locking a template", error)
        }
    }

    /// A new folder to build in; what earlier builders of this template left is removed. With the lock only.
    func makeWorkFolder(_ key: TemplateKey) throws(MachineError) -> String {
        let path = path(of: key) + TemplateStore.unfinished
        MachineFiles.remove(path)
        try MachineFiles.makeFolder(path)
        return path
    }

    /// Makes a built folder the template.
    func publish(_ work: String, as key: TemplateKey) throws(MachineError) {
        remove(key)
        guard rename(work, path(of: key)) == 0 else { throw MachineFiles.errno("A template could not be stored") }
        prune(except: key.name)
    }

    func open(_ path: String, _ flags: Int32 = O_RDONLY) throws(MachineError) -> FileDescriptor {
        do {
            return try FileDescriptor.open(path, flags)
        } catch {
            throw MachineError(error)
        }
    }

    /// The ones not used for the longest time go. Who has one loaded needs its files no more.
    func prune(except kept: String) {
        let names = MachineFiles.names(in: folder)
        for unfinished in names where unfinished.hasSuffix(TemplateStore.unfinished) {
            let path = folder + "/" + unfinished.dropLast(TemplateStore.unfinished.count)
            // Its builder has the lock for as long as it lives.
            guard let lock = try? FolderLock.take(path, waiting: false) else { continue }
            MachineFiles.remove(path + TemplateStore.unfinished)
            withExtendedLifetime(lock) {}
        }
        let dated = names.compactMap { name -> (path: String, used: Int)? in
            var status = stat()
            let path = folder + "/" + name
            guard !name.contains("."), name != kept, stat(path + "/template.json", &status) == 0 else { return nil }
            return (path, status.st_mtim.tv_sec)
        }
        for old in dated.sorted(by: { $0.used > $1.used }).dropFirst(TemplateStore.keptOnDisk - 1) {
            // One that is being built or loaded at this moment is in use, however old.
            guard let lock = try? FolderLock.take(old.path, waiting: false) else { continue }
            MachineFiles.remove(old.path)
            unlink(old.path + ".lock")
            withExtendedLifetime(lock) {}
        }
    }
}
