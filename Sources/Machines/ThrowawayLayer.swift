import Glibc
import HostSystem

/// The disk that a clone writes to: an empty qcow2 file over the template's own, gone with the clone. Its backing file
/// is named on QEMU's command line, never in the file.
enum ThrowawayLayer {
    static let virtualBytes: UInt64 = 2 << 30
    private static let clusterBits: UInt32 = 16
    private static let clusterBytes = 1 << 16

    /// In a machine's folder, `layer`: a machine that sleeps finds it there again.
    static func path(in folder: String) -> String { folder + "/layer" }

    static func make(in folder: String) throws(MachineError) -> FileDescriptor {
        let path = path(in: folder)
        let file: FileDescriptor
        do {
            file = try FileDescriptor.open(path, O_RDWR | O_CREAT | O_EXCL)
        } catch {
            throw MachineError(error)
        }
        let bytes = emptyImage()
        guard pwrite(file.rawValue, bytes, bytes.count, 0) == bytes.count,
            ftruncate(file.rawValue, off_t(4 * clusterBytes)) == 0
        else { throw MachineFiles.errno("The disk of a machine could not be made") }
        return file
    }

    /// Header, refcount table, one refcount block and the L1 table, one cluster each; all but the header nearly empty.
    static func emptyImage() -> [UInt8] {
        let entriesPerL2 = UInt64(clusterBytes / 8)
        let l1Entries = (virtualBytes + entriesPerL2 * UInt64(clusterBytes) - 1) / (entriesPerL2 * UInt64(clusterBytes))
        var header: [UInt8] = []
        func add<T: FixedWidthInteger>(_ value: T) { withUnsafeBytes(of: value.bigEndian) { header += $0 } }
        add(UInt32(0x5146_49FB))  // "QFI", 0xfb
        add(UInt32(3))
        add(UInt64(0))  // backing file: none of its own
        add(UInt32(0))
        add(clusterBits)
        add(virtualBytes)
        add(UInt32(0))  // not encrypted
        add(UInt32(l1Entries))
        add(UInt64(3 * clusterBytes))  // L1 table
        add(UInt64(clusterBytes))  // refcount table
        add(UInt32(1))
        add(UInt32(0))  // snapshots
        add(UInt64(0))
        add(UInt64(0))  // incompatible, compatible and autoclear features
        add(UInt64(0))
        add(UInt64(0))
        add(UInt32(4))  // 16-bit refcounts
        add(UInt32(104))
        add(UInt64(0))  // end of the header's extensions

        var image = [UInt8](repeating: 0, count: 2 * clusterBytes + 8)
        image.replaceSubrange(0..<header.count, with: header)
        func put(_ value: [UInt8], at offset: Int) {
            image.replaceSubrange(offset..<(offset + value.count), with: value)
        }
        withUnsafeBytes(of: UInt64(2 * clusterBytes).bigEndian) { put(Array($0), at: clusterBytes) }
        put([0, 1, 0, 1, 0, 1, 0, 1], at: 2 * clusterBytes)  // the four clusters are in use once each
        return image
    }
}
