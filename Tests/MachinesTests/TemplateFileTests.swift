import FoundationEssentials
import Glibc
import HostSystem
import Testing

@testable import Machines

@Suite("The files of a template and of a clone")
struct TemplateFileTests {
    @Test("a sparse copy has the same bytes, no zeros that take room, and the same sum")
    func copiesSparsely() throws {
        let source = try FileDescriptor.memfd(name: "source")
        try #require(ftruncate(source.rawValue, 64 << 20) == 0)
        var random = SplitMix(state: 1)
        for _ in 0..<200 {
            let page = [UInt8]((0..<4096).map { _ in UInt8.random(in: 0...255, using: &random) })
            let offset = Int.random(in: 0..<(64 << 20) / 4096, using: &random) * 4096
            try #require(pwrite(source.rawValue, page, page.count, off_t(offset)) == page.count)
        }
        // Zeros that were written take room in the source.
        let zeros = [UInt8](repeating: 0, count: 4 << 20)
        try #require(pwrite(source.rawValue, zeros, zeros.count, 32 << 20) == zeros.count)
        let (copy, result) = try SparseCopy.sealedCopy(of: source, name: "copy")
        #expect(try content(copy) == content(source))
        #expect(result.used <= 200 * 4096)
        var status = stat()
        try #require(fstat(copy.rawValue, &status) == 0)
        #expect(status.st_blocks * 512 <= 200 * 4096 + 65536)
        // However the file lies in its extents, the sum is the same.
        #expect(try SparseCopy.copy(from: copy, to: nil) == result)
        #expect(try SparseCopy.copy(from: source, to: nil) == result)
    }

    @Test("a sealed copy cannot be changed, and a changed file has another sum")
    func sealsAndSums() throws {
        let source = try FileDescriptor.memfd(name: "source")
        try #require(pwrite(source.rawValue, [1, 2, 3], 3, 0) == 3)
        let (copy, result) = try SparseCopy.sealedCopy(of: source, name: "copy")
        #expect(pwrite(copy.rawValue, [9], 1, 0) == -1)
        #expect(ftruncate(copy.rawValue, 0) == -1)
        try #require(pwrite(source.rawValue, [4], 1, 1) == 1)
        #expect(try SparseCopy.copy(from: source, to: nil) != result)
    }

    @Test("a clone's layer is an empty qcow2 in its folder that QEMU's own tool finds no fault with")
    func makesALayer() async throws {
        try await withFolder { folder in
            let layer = try ThrowawayLayer.make(in: folder)
            #expect(MachineFiles.names(in: folder) == ["layer"])
            for (command, expected) in [("check", "No errors were found"), ("info", "virtual size: 2 GiB")] {
                let (read, write) = try FileDescriptor.pipe()
                let process = try ChildProcess.spawn(
                    ProcessSpec(
                        program: "/usr/bin/qemu-img", arguments: ["qemu-img", command, "/proc/self/fd/3"],
                        descriptors: [1: write, 3: layer]))
                close(write.take())
                let status = await process.waitForExit()
                var bytes = [UInt8](repeating: 0, count: 4096)
                let count = Glibc.read(read.rawValue, &bytes, bytes.count)
                let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
                #expect(status == .exited(0), "\(text)")
                #expect(text.contains(expected), "\(text)")
            }
        }
    }

    @Test("sizes are rounded up to what there is a template for")
    func roundsSizes() throws {
        func size(_ memory: Int, _ processors: Int) throws -> [Int] {
            let size = try MachineSize.covering(memoryMebibytes: memory, processors: processors, hostMebibytes: 8192)
            return [size.memoryMebibytes, size.processors]
        }
        #expect(try size(1, 1) == [256, 1])
        #expect(try size(257, 2) == [512, 2])
        #expect(try size(1024, 1) == [1024, 1])
        #expect(try size(4096, 3) == [4096, 4])
        for (memory, processors) in [(0, 1), (-1, 1), (4097, 1), (.max, 1), (1024, 5)] {
            #expect(throws: MachineError.self) { try size(memory, processors) }
        }
    }

    @Test("an image's name cannot lead out of the images' folder", arguments: ["", "../boot", "a/b", "..", "A"])
    func refusesPaths(name: String) {
        let error = #expect(throws: MachineError.self) { try ImageFiles.current(name, in: "/tmp") }
        #expect(error?.code == "image_unknown")
    }

    private func content(_ file: FileDescriptor) throws -> Data {
        try Data(contentsOf: URL(filePath: "/proc/self/fd/\(file.rawValue)"))
    }
}
