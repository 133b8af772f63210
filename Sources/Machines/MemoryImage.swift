import Glibc
import HostSystem

/// The pages in which a machine's memory differs from its template's, in a file. Blocks.
///
/// Little-endian: `MAGSMEM1`, the size of the memory (u64), the count of runs (u64), the runs (offset and length in bytes,
/// u64 each), zeroes up to a whole page; then the pages, one run behind the other.
struct MemoryImage {
    /// What to know of the file to find it unchanged.
    struct Summary: Sendable, Codable, Equatable {
        var bytes: UInt64
        var checksum: String
    }

    private static let magic: UInt64 = 0x314D_454D_5347_414D
    private static let pageBytes: UInt64 = 4096
    private static let batchBytes: UInt64 = 4 << 20
    private static let maximumRuns: UInt64 = 1 << 22

    /// The process stands still. Whoever wants the file to survive the host's crash flushes it.
    static func save(_ memory: ProcessMemory, to file: FileDescriptor) throws -> Summary {
        let runs = try memory.changes()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(batchBytes), alignment: Int(pageBytes))
        defer { buffer.deallocate() }
        var sum = Checksum()
        var position: UInt64 = 0
        func write(_ bytes: UnsafeRawBufferPointer) throws {
            guard pwrite(file.rawValue, bytes.baseAddress, bytes.count, off_t(position)) == bytes.count else {
                throw MachineFiles.errno("A machine's memory could not be written")
            }
            sum.add(bytes)
            position += UInt64(bytes.count)
        }
        try header(memory.size, runs).withUnsafeBytes(write)
        for batch in batches(runs) {
            let count = batch.reduce(0) { $0 + Int($1.length) }
            try memory.read(batch, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
            try write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
        return Summary(bytes: position, checksum: sum.text)
    }

    /// Into a process that has the template's memory and has not run yet.
    /// - Throws: when the file is not the one that was saved. The process must not run then.
    static func load(_ file: FileDescriptor, _ summary: Summary, into memory: ProcessMemory) throws {
        var status = stat()
        guard fstat(file.rawValue, &status) == 0, UInt64(status.st_size) == summary.bytes else { throw damaged }
        let runs = try readHeader(file, memory.size)
        var sum = Checksum()
        header(memory.size, runs).withUnsafeBytes { sum.add($0) }
        var position = headerBytes(runs.count)
        guard runs.reduce(position, { $0 + $1.length }) == summary.bytes else { throw damaged }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(batchBytes), alignment: Int(pageBytes))
        defer { buffer.deallocate() }
        for batch in batches(runs) {
            let count = batch.reduce(0) { $0 + Int($1.length) }
            guard pread(file.rawValue, buffer.baseAddress, count, off_t(position)) == count else { throw damaged }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            sum.add(bytes)
            try memory.write(batch, from: bytes)
            position += UInt64(count)
        }
        guard sum.text == summary.checksum else { throw damaged }
    }

    /// Copies a small file as it is.
    static func copy(_ source: FileDescriptor, to file: FileDescriptor) throws -> Summary {
        let bytes = try whole(source)
        let count = bytes.withUnsafeBytes { pwrite(file.rawValue, $0.baseAddress, $0.count, 0) }
        guard count == bytes.count else { throw MachineFiles.errno("A machine's devices could not be written") }
        return summary(bytes)
    }

    /// The file, at its start, if it is the one that was copied.
    static func verified(_ file: FileDescriptor, _ summary: Summary) throws -> FileDescriptor {
        guard try self.summary(whole(file)) == summary else { throw damaged }
        return file
    }

    private static func summary(_ bytes: [UInt8]) -> Summary {
        var sum = Checksum()
        bytes.withUnsafeBytes { sum.add($0) }
        return Summary(bytes: UInt64(bytes.count), checksum: sum.text)
    }

    private static func whole(_ file: FileDescriptor) throws -> [UInt8] {
        var status = stat()
        guard fstat(file.rawValue, &status) == 0, status.st_size <= 64 << 20 else { throw damaged }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        let count = bytes.withUnsafeMutableBytes { pread(file.rawValue, $0.baseAddress, $0.count, 0) }
        guard count == bytes.count else { throw damaged }
        return bytes
    }

    static let damaged = MachineError("memory_damaged", "What was kept of the machine's memory is damaged.")

    private static func headerBytes(_ runs: Int) -> UInt64 {
        (24 + 16 * UInt64(runs) + pageBytes - 1) / pageBytes * pageBytes
    }

    private static func header(_ size: UInt64, _ runs: [ProcessMemory.Run]) -> [UInt64] {
        var words = [magic, size, UInt64(runs.count)]
        for run in runs { words += [run.offset, run.length] }
        words += Array(repeating: 0, count: Int(headerBytes(runs.count)) / 8 - words.count)
        return words.map(\.littleEndian)
    }

    private static func readHeader(_ file: FileDescriptor, _ size: UInt64) throws -> [ProcessMemory.Run] {
        func words(_ count: Int, at offset: Int) throws -> [UInt64] {
            var words = [UInt64](repeating: 0, count: count)
            let got = words.withUnsafeMutableBytes { pread(file.rawValue, $0.baseAddress, $0.count, off_t(offset)) }
            guard got == 8 * count else { throw damaged }
            return words.map { UInt64(littleEndian: $0) }
        }
        let start = try words(3, at: 0)
        guard start[0] == magic, start[1] == size, start[2] <= maximumRuns else { throw damaged }
        let numbers = try words(2 * Int(start[2]), at: 24)
        let runs = stride(from: 0, to: numbers.count, by: 2).map {
            ProcessMemory.Run(offset: numbers[$0], length: numbers[$0 + 1])
        }
        let areRight = runs.allSatisfy {
            $0.offset < size && $0.length > 0 && $0.length <= size - $0.offset && $0.offset % pageBytes == 0
                && $0.length % pageBytes == 0
        }
        guard areRight else { throw damaged }
        return runs
    }

    /// Runs in groups of at most `batchBytes`; longer ones are cut.
    private static func batches(_ runs: [ProcessMemory.Run]) -> [[ProcessMemory.Run]] {
        var batches: [[ProcessMemory.Run]] = []
        var batch: [ProcessMemory.Run] = []
        var room = batchBytes
        for var run in runs {
            while run.length > 0 {
                let length = min(run.length, room)
                batch.append(ProcessMemory.Run(offset: run.offset, length: length))
                run = ProcessMemory.Run(offset: run.offset + length, length: run.length - length)
                room -= length
                if room == 0 {
                    batches.append(batch)
                    (batch, room) = ([], batchBytes)
                }
            }
        }
        if !batch.isEmpty { batches.append(batch) }
        return batches
    }
}
