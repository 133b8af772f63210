import Glibc
import HostSystem

/// Copies what is not zero from one file into another that is empty, and sums it up. Blocks.
enum SparseCopy {
    private static let pageBytes = 4096
    private static let chunkBytes = 1 << 20
    // Values of <unistd.h> and <linux/fcntl.h>, which do not reach Swift.
    private static let seekData: CInt = 3
    private static let seekHole: CInt = 4
    private static let addSeals: CInt = 1033
    private static let sealAll: CInt = 0x1 | 0x2 | 0x4 | 0x8

    struct Result: Sendable, Codable, Equatable {
        var size: UInt64
        /// Bytes that are not in holes.
        var used: UInt64
        var checksum: String
    }

    /// - Parameter target: nil to sum up only.
    static func copy(from source: FileDescriptor, to target: FileDescriptor?) throws(MachineError) -> Result {
        let size = lseek(source.rawValue, 0, SEEK_END)
        guard size >= 0 else { throw MachineFiles.errno("A template's file cannot be read") }
        if let target, ftruncate(target.rawValue, size) != 0 {
            throw MachineFiles.errno("A template's file cannot be written")
        }
        var sum = Checksum()
        var used: UInt64 = 0
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkBytes, alignment: pageBytes)
        defer { buffer.deallocate() }
        var position: off_t = 0
        while position < size {
            let data = lseek(source.rawValue, position, seekData)
            guard data >= 0 else { break }
            let hole = lseek(source.rawValue, data, seekHole)
            var offset = data / off_t(pageBytes) * off_t(pageBytes)
            while offset < hole {
                let count = pread(
                    source.rawValue, buffer.baseAddress, Int(min(off_t(chunkBytes), size - offset)), offset)
                guard count > 0 else { throw MachineFiles.errno("A template's file cannot be read") }
                try copyPages(UnsafeRawBufferPointer(rebasing: buffer[..<count]), at: offset, to: target, &sum, &used)
                offset += off_t(count)
            }
            position = max(offset, hole)
        }
        return Result(size: UInt64(size), used: used, checksum: sum.text)
    }

    /// Copies what is not in holes into a file that is empty there, in the kernel: nothing looks at it on the way.
    static func copyData(from source: FileDescriptor, to target: FileDescriptor) throws(MachineError) {
        var position: off_t = 0
        while true {
            // Behind the last data the search ends with an error.
            position = lseek(source.rawValue, position, seekData)
            guard position >= 0 else { return }
            let hole = lseek(source.rawValue, position, seekHole)
            guard lseek(target.rawValue, position, SEEK_SET) == position else {
                throw MachineFiles.errno("A disk's file cannot be written")
            }
            while position < hole {
                guard sendfile(target.rawValue, source.rawValue, &position, Int(hole - position)) > 0 else {
                    throw MachineFiles.errno("A disk's file cannot be written")
                }
            }
        }
    }

    /// A file's content in memory that nobody can change any more.
    static func sealedCopy(of source: FileDescriptor, name: String) throws(MachineError) -> (FileDescriptor, Result) {
        do {
            let memory = try FileDescriptor.memfd(name: name, sealable: true)
            let result = try copy(from: source, to: memory)
            guard fcntl(memory.rawValue, addSeals, sealAll) == 0 else {
                throw MachineFiles.errno("A template's memory could not be sealed")
            }
            return (memory, result)
        } catch {
            throw MachineError("Loading a template", error)
        }
    }

    private static func copyPages(
        _ bytes: UnsafeRawBufferPointer, at start: off_t, to target: FileDescriptor?, _ sum: inout Checksum,
        _ used: inout UInt64
    ) throws(MachineError) {
        var index = 0
        while index < bytes.count {
            // A run of pages with something in them.
            let first = index
            while index < bytes.count, !isZero(page(bytes, index)) {
                // Page by page, so that the sum does not depend on how a file lies in its extents.
                sum.add(UInt64(start) + UInt64(index))
                sum.add(page(bytes, index))
                index += pageBytes
            }
            let end = min(index, bytes.count)
            if end > first {
                let run = UnsafeRawBufferPointer(rebasing: bytes[first..<end])
                used += UInt64(run.count)
                if let target, pwrite(target.rawValue, run.baseAddress, run.count, start + off_t(first)) != run.count {
                    throw MachineFiles.errno("A template's file cannot be written")
                }
            }
            while index < bytes.count, isZero(page(bytes, index)) { index += pageBytes }
        }
    }

    private static func page(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[index..<min(index + pageBytes, bytes.count)])
    }

    private static func isZero(_ page: UnsafeRawBufferPointer) -> Bool {
        guard let first = page.first, let start = page.baseAddress else { return true }
        // Equal to itself one byte further on, and zero at its start.
        return first == 0 && (page.count == 1 || memcmp(start, start + 1, page.count - 1) == 0)
    }
}
