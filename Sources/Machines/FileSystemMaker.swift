import Glibc
import HostSystem

/// The host's `mkfs.ext4`.
enum FileSystemMaker {
    /// It takes some milliseconds. What the kernel itself never ends, as on a disk that hangs, this does not end either.
    private static let limit = Duration.seconds(120)

    static func run(_ options: [String], on file: HostSystem.FileDescriptor) async throws(MachineError) {
        guard let program = QEMUProgram.path(of: "mkfs.ext4") else {
            throw MachineError("mkfs_missing", "mkfs.ext4 is not installed.", hint: "Install e2fsprogs.")
        }
        do {
            let complaints = try ComplaintSheet()
            let process = try await blocking("Starting mkfs.ext4") {
                try ChildProcess.spawn(
                    ProcessSpec(
                        program: program, arguments: ["mkfs.ext4", "-q", "-F"] + options + ["/proc/self/fd/3"],
                        environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
                        descriptors: [2: complaints.descriptor, 3: file]))
            }
            let killer = Task {
                try await Task.sleep(for: FileSystemMaker.limit)
                process.signal(SIGKILL)
            }
            defer { killer.cancel() }
            let status = await process.waitForExit()
            guard status.isSuccess else {
                throw MachineError("mkfs_failed", "mkfs.ext4 \(status): \(complaints.text)")
            }
        } catch {
            throw MachineError("Making a file system", error)
        }
    }
}
