import Glibc
import HostSystem

/// A saved machine, loaded: what clones of it start from. Nobody can change any of it.
final class Template: Sendable {
    let key: TemplateKey
    let kind: MachineKind
    /// Sealed: a clone maps it privately.
    let memory: FileDescriptor
    let root: FileDescriptor
    let upper: FileDescriptor
    /// Where the guest's output stood when it was saved.
    let wirePosition: UInt64
    private let devices: FileDescriptor

    init(
        key: TemplateKey, kind: MachineKind, memory: FileDescriptor, devices: FileDescriptor, root: FileDescriptor,
        upper: FileDescriptor, wirePosition: UInt64
    ) {
        self.key = key
        self.kind = kind
        self.memory = memory
        self.devices = devices
        self.root = root
        self.upper = upper
        self.wirePosition = wirePosition
    }

    /// The state of the devices, opened anew: QEMU moves the offset, and clones must not share it.
    func openState() throws(MachineError) -> FileDescriptor {
        do {
            return try FileDescriptor.open("/proc/self/fd/\(devices.rawValue)", O_RDONLY)
        } catch {
            throw MachineError(error)
        }
    }
}

/// What a template's folder says of itself.
struct TemplateNote: Codable {
    var key: TemplateKey
    var wirePosition: UInt64
    var memory: SparseCopy.Result
    var state: SparseCopy.Result
    var upper: SparseCopy.Result
}
