import Glibc
import HostSystem
import Testing

@testable import Machines

@Suite("A machine's disk")
struct DiskTests {
    @Test("starts as a whole file system that takes hardly any room, each time anew", arguments: [1, 1024])
    func startsBlank(gigabytes: Int) async throws {
        try await withFolder { folder in
            let blanks = BlankDisks()
            let blank = try await blanks.blank(of: BlankDisks.bytes(gigabytes: gigabytes))
            for _ in 0..<2 {
                let file = try blank.copy(in: folder, isNamed: true)
                var status = stat()
                try #require(fstat(file.rawValue, &status) == 0)
                #expect(status.st_size == gigabytes << 30)
                #expect(status.st_blocks * 512 < 32 << 20)
                #expect(status.st_mode & 0o777 == 0o600)
                let program = try #require(QEMUProgram.path(of: "e2fsck"))
                let check = try ChildProcess.spawn(
                    ProcessSpec(program: program, arguments: ["e2fsck", "-fn", folder + "/disk"]))
                #expect(await check.waitForExit().isSuccess)
                #expect(throws: MachineError.self) { try blank.copy(in: folder, isNamed: true) }
                unlink(folder + "/disk")
            }
            let spare = try blank.copy(in: folder, isNamed: false)
            #expect(MachineFiles.names(in: folder) == [])
            #expect(lseek(spare.rawValue, 0, SEEK_END) == gigabytes << 30)
        }
    }

    @Test("is made once for claims that come together")
    func makesOnce() async throws {
        let blanks = BlankDisks()
        let numbers = try await withThrowingTaskGroup(of: Int32.self) { group in
            for _ in 0..<4 {
                group.addTask { try await blanks.blank(of: BlankDisks.bytes(gigabytes: 2)).content.rawValue }
            }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(numbers.count == 1)
    }

    @Test("no machine is made while less than a twentieth of the host's disk is free", .enabled(if: geteuid() == 0))
    func needsRoom() async throws {
        try await withFolder { folder in
            try #require(mount("tmpfs", folder, "tmpfs", 0, "size=20m") == 0)
            defer { umount2(folder, 2) }
            try DiskRoom(at: folder).check()
            let file = try FileDescriptor.open(folder + "/fill", O_WRONLY | O_CREAT)
            try #require(posix_fallocate(file.rawValue, 0, 19 << 20) == 0)
            try DiskRoom(at: folder).check()
            try #require(posix_fallocate(file.rawValue, 19 << 20, 100 << 10) == 0)
            let error = #expect(throws: MachineError.self) { try DiskRoom(at: folder).check() }
            #expect(error?.code == "node_disk_full")
            #expect(error?.hint?.contains("Free some disk space") == true)
        }
    }

    @Test("no disk is promised that would not fit: at once when it never could, else for as long as others may grow")
    func promises() throws {
        // 5 of the 100 GiB are kept free.
        let room = DiskRoom(freeBytes: 30 << 30, totalBytes: 100 << 30)
        #expect(room.holds(25 << 30))
        #expect(!room.holds(26 << 30))
        try room.check(gigabytes: 25, besides: 0)
        try room.check(gigabytes: 28, besides: 3 << 30)
        let error = #expect(throws: MachineError.self) { try room.check(gigabytes: 29, besides: 3 << 30) }
        #expect(error?.code == "node_disk_full")
        #expect(error?.message.contains("29 GiB") == true)
        #expect(!DiskRoom(freeBytes: 1 << 30, totalBytes: 100 << 30).holds(1))
    }
}
