import Glibc
import HostSystem
import Logging
import Synchronization
import Testing

@testable import Machines

@Suite("The lock of a template")
struct FolderLockTests {
    @Test("keeps a second one out until the first lets go, also when the file was removed meanwhile")
    func excludes() async throws {
        try await withFolder { folder in
            let path = folder + "/a"
            var first = try FolderLock.take(path, waiting: false)
            #expect(first != nil)
            #expect(try FolderLock.take(path, waiting: false) == nil)
            let second = Task {
                try await SystemThread.perform { () throws(HostError) in try FolderLock.take(path, waiting: true) }
            }
            // As pruning does it.
            unlink(path + ".lock")
            first = nil
            let held = try #require(try await second.value)
            #expect(try FolderLock.take(path, waiting: false) == nil)
            withExtendedLifetime(held) {}
        }
    }

    @Test("is given up by a task that is cancelled, and is free again when its thread gets it later")
    func gives() async throws {
        try await withFolder { folder in
            let path = folder + "/a"
            var first = try FolderLock.take(path, waiting: false)
            let task = Task {
                try await AbandonableWait<FileDescriptor?>().value { () throws(HostError) in
                    try FolderLock.take(path, waiting: true)
                }
            }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(first != nil)
            first = nil
            let next = try await SystemThread.perform { () throws(HostError) in
                try FolderLock.take(path, waiting: true)
            }
            #expect(next != nil)
        }
    }

    @Test("protects a template from being pruned while somebody has it")
    func pruning() async throws {
        try await withFolder { folder in
            for number in 0..<20 {
                let path = "\(folder)/t\(number)"
                try MachineFiles.makeFolder(path)
                try MachineFiles.write([number], to: path + "/template.json")
                var times = [timeval(tv_sec: 1000 + number, tv_usec: 0), timeval(tv_sec: 1000 + number, tv_usec: 0)]
                try #require(utimes(path + "/template.json", &times) == 0)
            }
            let held = try FolderLock.take(folder + "/t0", waiting: false)
            TemplateStore(folder: folder, logger: Logger(label: "test")).prune(except: "t19")
            let left = Set(MachineFiles.names(in: folder).filter { !$0.contains(".") })
            #expect(left == Set((12...19).map { "t\($0)" } + ["t0"]))
            withExtendedLifetime(held) {}
        }
    }

    @Test("lets what a killed builder left be removed, and not what is being built")
    func unfinished() async throws {
        try await withFolder { folder in
            for name in ["left", "active"] { try MachineFiles.makeFolder(folder + "/\(name).building") }
            let lock = try FolderLock.take(folder + "/active", waiting: false)
            TemplateStore(folder: folder, logger: Logger(label: "test")).prune(except: "other")
            #expect(!MachineFiles.exists(folder + "/left.building"))
            #expect(MachineFiles.exists(folder + "/active.building"))
            withExtendedLifetime(lock) {}
        }
    }
}
