internal import CHost
internal import Glibc

/// The memory of a machine as its process has it: one private mapping of a file, whose changed pages are the machine's own.
/// For as long as the process stands still. Everything here blocks.
package struct ProcessMemory: Sendable {
    /// A run of changed pages, by their place in the file.
    package struct Run: Sendable, Equatable {
        package var offset: UInt64
        package var length: UInt64

        package init(offset: UInt64, length: UInt64) {
            self.offset = offset
            self.length = length
        }
    }

    private let pid: Int32
    private let start: UInt64
    package let size: UInt64

    /// - Parameter file: the name of the memfd that is mapped.
    package init(of pid: Int32, mapping file: String) throws(HostError) {
        let maps = try SystemFile.text("/proc/\(pid)/maps")
        for line in maps.split(separator: "\n") where line.contains("/memfd:\(file) ") {
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            let ends = fields[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
            guard fields.count > 1, fields[1].hasPrefix("rw"), fields[1].hasSuffix("p"), ends.count == 2 else {
                continue
            }
            (self.pid, start, size) = (pid, ends[0], ends[1] - ends[0])
            return
        }
        throw HostError("no_memory", "Process \(pid) has no memory of a machine.")
    }

    /// The pages that differ from the file's, or may.
    package func changes() throws(HostError) -> [Run] {
        let pagemap = try FileDescriptor.open("/proc/\(pid)/pagemap", O_RDONLY)
        var found: [Run] = []
        var next = start
        var runs = [chost_run](repeating: chost_run(), count: 4096)
        while next < start + size {
            let count = chost_changed_pages(pagemap.rawValue, &next, start + size, &runs, Int32(runs.count))
            guard count >= 0 else {
                throw HostError(errno: errno, "the pages of process \(pid) could not be looked at")
            }
            found += runs[..<Int(count)].map { Run(offset: $0.start - start, length: $0.length) }
        }
        return found
    }

    /// Reads runs, one behind the other, into memory of just their size.
    package func read(_ runs: [Run], into bytes: UnsafeMutableRawBufferPointer) throws(HostError) {
        let pieces = try pieces(runs, count: bytes.count)
        guard chost_read_memory(pid, pieces, Int32(pieces.count), bytes.baseAddress) == Int64(bytes.count) else {
            throw HostError(errno: errno, "the memory of process \(pid) could not be read")
        }
    }

    /// Writes runs that lie one behind the other.
    package func write(_ runs: [Run], from bytes: UnsafeRawBufferPointer) throws(HostError) {
        let pieces = try pieces(runs, count: bytes.count)
        guard chost_write_memory(pid, pieces, Int32(pieces.count), bytes.baseAddress) == Int64(bytes.count) else {
            throw HostError(errno: errno, "the memory of process \(pid) could not be written")
        }
    }

    private func pieces(_ runs: [Run], count: Int) throws(HostError) -> [chost_run] {
        let isWithin = runs.allSatisfy { $0.offset <= size && $0.length <= size - $0.offset }
        guard isWithin, runs.reduce(0, { $0 + $1.length }) == UInt64(count) else {
            throw HostError("bad_run", "A page lies outside the memory of process \(pid).")
        }
        return runs.map { chost_run(start: start + $0.offset, length: $0.length) }
    }
}
