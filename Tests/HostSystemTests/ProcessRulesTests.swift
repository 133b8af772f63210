import Glibc
import Testing

@testable import HostSystem

@Suite("What holds for processes")
struct ProcessRulesTests {
    @Test("as many files may be open as the process may ask for")
    func files() throws {
        var limit = rlimit()
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        try #require(getrlimit(kind, &limit) == 0)
        limit.rlim_cur = min(1024, limit.rlim_max)
        try #require(setrlimit(kind, &limit) == 0)
        #expect(OpenFiles.raiseLimit() == UInt64(limit.rlim_max))
    }

    @Test("one that is first to go says so to the kernel, and others do not")
    func firstToGo() async throws {
        for isFirstToGo in [true, false] {
            let spec = ProcessSpec(program: "/bin/sleep", arguments: ["sleep", "600"], isFirstToGo: isFirstToGo)
            let child = try ChildProcess.spawn(spec)
            let own = try SystemFile.text("/proc/self/oom_score_adj")
            #expect(try SystemFile.text("/proc/\(child.pid)/oom_score_adj") == (isFirstToGo ? "500\n" : own))
            child.signal(SIGKILL)
            _ = await child.waitForExit()
        }
    }

    @Test("all of a user's end, and no other's", .enabled(if: isRoot))
    func ofUsers() async throws {
        func sleeper(_ uid: UInt32) throws -> ChildProcess {
            try ChildProcess.spawn(
                ProcessSpec(program: "/bin/sleep", arguments: ["sleep", "600"], uid: uid, gid: uid, directory: "/"))
        }
        let ended = [try sleeper(0x3fff_0881), try sleeper(0x3fff_0881), try sleeper(0x3fff_0882)]
        let kept = try sleeper(0x3fff_0883)
        try await SystemThread.perform { UserProcesses.end(of: [0x3fff_0881, 0x3fff_0882]) }
        for child in ended { #expect(await child.waitForExit() == .killed(signal: SIGKILL)) }
        #expect(kept.isAlive)
        kept.signal(SIGKILL)
        _ = await kept.waitForExit()
    }
}
