import Glibc
import HostSystem

/// An empty file system of one size, in memory that nobody can change: what a machine's own disk starts as.
struct BlankDisk: Sendable {
    let bytes: UInt64
    let content: HostSystem.FileDescriptor

    static func path(in folder: String) -> String { folder + "/disk" }

    /// A sparse file with the file system in a machine's folder, `disk`. Blocks.
    ///
    /// - Parameter isNamed: false removes the name at once, for what must not outlive who has it open.
    func copy(in folder: String, isNamed: Bool) throws(MachineError) -> HostSystem.FileDescriptor {
        let path = isNamed ? BlankDisk.path(in: folder) : folder + "/spare"
        do {
            let file = try FileDescriptor.open(path, O_RDWR | O_CREAT | O_EXCL)
            if !isNamed { unlink(path) }
            guard ftruncate(file.rawValue, off_t(bytes)) == 0 else {
                throw MachineFiles.errno("The disk of a machine could not be made")
            }
            try SparseCopy.copyData(from: content, to: file)
            return file
        } catch {
            throw MachineError("Making a disk", error)
        }
    }
}

/// The blanks in use, each made once: making a file system takes ten times as long as copying its few pages.
actor BlankDisks {
    /// Between claims, a disk to rehearse with. No machine's own has this size, so the guest can tell them apart.
    static let spareBytes: UInt64 = 64 << 20
    private static let capacity = 8

    private var blanks: [(bytes: UInt64, blank: Task<BlankDisk, any Error>)] = []

    static func bytes(gigabytes: Int) -> UInt64 { UInt64(gigabytes) << 30 }

    func blank(of bytes: UInt64) async throws(MachineError) -> BlankDisk {
        let kept = blanks.firstIndex { $0.bytes == bytes }.map { blanks.remove(at: $0).blank }
        let task = kept ?? Task { try await BlankDisks.make(bytes) }
        // The one not used for the longest time comes first, and the spare is used with every clone.
        blanks.append((bytes, task))
        if blanks.count > BlankDisks.capacity { blanks.removeFirst() }
        do {
            return try await task.value
        } catch {
            blanks.removeAll { $0.blank == task }
            throw MachineError("Making a disk", error)
        }
    }

    /// With a journal, since it may outlive a crash, but a small one; with nothing to initialise later, since all of it
    /// is zero already.
    private static func make(_ bytes: UInt64) async throws -> BlankDisk {
        let file = try FileDescriptor.memfd(name: "disk", sealable: true)
        guard ftruncate(file.rawValue, off_t(bytes)) == 0 else {
            throw MachineFiles.errno("Memory for a disk cannot be made")
        }
        let options = [
            "-m", "0", "-b", "4096", "-I", "256", "-i", "16384", "-J", "size=16", "-E",
            "lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0",
        ]
        try await FileSystemMaker.run(options, on: file)
        let (content, _) = try await blocking("Making a disk") {
            try SparseCopy.sealedCopy(of: file, name: "disk")
        }
        return BlankDisk(bytes: bytes, content: content)
    }
}
