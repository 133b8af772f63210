import Glibc
import Testing

@testable import HostSystem

@Suite("A process of ours")
struct ChildProcessTests {
    private func sleeper() throws -> ChildProcess {
        try ChildProcess.spawn(ProcessSpec(program: "/bin/sleep", arguments: ["sleep", "600"]))
    }

    @Test("tells all who wait how it ended, before and after")
    func waiting() async throws {
        let child = try ChildProcess.spawn(shell("exit 7"))
        async let first = child.waitForExit()
        async let second = child.waitForExit()
        #expect(await [first, second] == [.exited(7), .exited(7)])
        #expect(await child.waitForExit() == .exited(7))
        #expect(!child.isAlive)
    }

    @Test("is reaped although nobody waits")
    func reaping() async throws {
        let (read, write) = try FileDescriptor.pipe()
        let pid = try { () throws(HostError) -> Int32 in
            var spec = shell("exit 0")
            spec.descriptors[1] = write
            return try ChildProcess.spawn(spec).pid
        }()
        _ = write.take()
        // Nothing that has our pid table's entry can be waited for any more once it is reaped.
        // On a thread of its own, and bounded: a wait on the pool that never ends would starve every other test.
        let reason = try await SystemThread.perform { () -> Int32 in
            for _ in 0..<6000 where kill(pid, 0) == 0 { poll(nil, 0, 10) }
            return kill(pid, 0) == 0 ? 0 : errno
        }
        #expect(reason == ESRCH)
        withExtendedLifetime(read) {}
    }

    @Test("dies of a signal, and that is told")
    func signals() async throws {
        let child = try sleeper()
        #expect(child.isAlive)
        child.signal(SIGKILL)
        #expect(await child.waitForExit() == .killed(signal: SIGKILL))
        child.signal(SIGKILL)
    }

    @Test("is adopted by its pid and start time, and by nothing less")
    func adoption() async throws {
        let child = try sleeper()
        #expect(ChildProcess.adopt(pid: child.pid, startTime: child.startTime + 1) == nil)
        #expect(ChildProcess.adopt(pid: 1, startTime: 0) == nil)
        let adopted = try #require(ChildProcess.adopt(pid: child.pid, startTime: child.startTime))
        adopted.signal(SIGKILL)
        _ = await child.waitForExit()
        _ = await adopted.waitForExit()
        #expect(!adopted.isAlive)
        #expect(ChildProcess.adopt(pid: child.pid, startTime: child.startTime) == nil)
    }

    @Test("that was started by another is watched to its end")
    func foreign() async throws {
        // The shell ends at once and its child goes on, without us as its parent.
        let output = try FileDescriptor.memfd(name: "output")
        var spec = shell("sleep 600 >/dev/null & echo $!")
        spec.descriptors[1] = output
        _ = await (try ChildProcess.spawn(spec)).waitForExit()
        let pid = try #require(Int32(try SystemFile.text(of: output, named: "output").dropLast()))
        let startTime = try #require(ProcessTable.startTime(of: pid))
        let adopted = try #require(ChildProcess.adopt(pid: pid, startTime: startTime))
        #expect(adopted.isAlive)
        adopted.signal(SIGKILL)
        #expect(await adopted.waitForExit() == .unknown)
    }

    @Test("is never mistaken for a later one with its pid", .enabled(if: isRoot))
    func reusedPID() async throws {
        let child = try sleeper()
        child.signal(SIGKILL)
        _ = await child.waitForExit()
        // The kernel's next pid is set to that of the dead one; somebody else may be faster, so it is tried a few times.
        var later: ChildProcess?
        for _ in 0..<2000 where later?.pid != child.pid {
            later?.signal(SIGKILL)
            try SystemFile.write("\(child.pid - 1)", to: "/proc/sys/kernel/ns_last_pid")
            later = try sleeper()
        }
        let other = try #require(later)
        try #require(other.pid == child.pid)
        child.signal(SIGKILL)
        // Started within one tick of the kernel's clock they cannot be told apart, and are not in what follows.
        if child.startTime != other.startTime {
            #expect(ChildProcess.adopt(pid: child.pid, startTime: child.startTime) == nil)
        }
        #expect(other.isAlive)
        other.signal(SIGTERM)
        #expect(await other.waitForExit() == .killed(signal: SIGTERM))
    }
}
