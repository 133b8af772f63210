import Glibc
import HostSystem

/// What a template starts with: the disk that will be the bottom of every clone's layer, and memory.
enum UpperDisk {
    /// An empty file system, on a file of which only what is written takes room.
    static func make(in work: String) async throws(MachineError) -> FileDescriptor {
        let path = work + "/upper.img"
        do {
            let file = try FileDescriptor.open(path, O_RDWR | O_CREAT | O_EXCL)
            guard ftruncate(file.rawValue, off_t(ThrowawayLayer.virtualBytes)) == 0 else {
                throw MachineFiles.errno("\(path) cannot be made")
            }
            // No journal, since nothing of it outlives a crash; no initialisation that would go on in every clone.
            try await FileSystemMaker.run(
                [
                    "-m", "0", "-O", "^has_journal", "-N", "131072", "-E", "lazy_itable_init=0,root_owner=0:0",
                ], on: file)
            return file
        } catch {
            throw MachineError("Making a disk", error)
        }
    }

    static func emptyMemory(_ size: MachineSize) throws -> FileDescriptor {
        let memory = try FileDescriptor.memfd(name: "template", sealable: true)
        guard ftruncate(memory.rawValue, off_t(size.memoryMebibytes) << 20) == 0 else {
            throw MachineFiles.errno("Memory for a template cannot be made")
        }
        return memory
    }
}
