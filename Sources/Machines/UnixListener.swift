import Glibc
import HostSystem

/// A listening Unix socket for QEMU to accept on. It listens before QEMU runs, so that a client need not wait for QEMU
/// to come up, and it ends with QEMU, since nobody else holds it.
enum UnixListener {
    static func make(at path: String) throws(MachineError) -> FileDescriptor {
        let number = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw MachineFiles.errno("A socket could not be made") }
        let listener = FileDescriptor(owning: number)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw MachineError(
                "path_too_long", "The path of a machine's socket is too long: \(path).",
                hint: "Set MAGS_HOME to a shorter path.")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0, listen(number, 4) == 0 else {
            throw MachineFiles.errno("The socket \(path) could not be made")
        }
        return listener
    }
}
