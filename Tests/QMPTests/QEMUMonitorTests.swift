import Glibc
import NIOCore
import NIOPosix
import Testing

@testable import QMP

/// QEMU itself, with a machine that has nothing.
@Suite("QEMU's own monitor")
struct QEMUMonitorTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    @Test("answers, refuses, takes a descriptor, takes a second client and quits")
    func speaks() async throws {
        try await withQEMU { path in
            let client = try await QMPClient.connect(path: path, on: loop)
            #expect(try await client.version.get().split(separator: ".").count == 3)
            #expect(try await client.run(.queryStatus)["status"]?.text == "prelaunch")
            let error = await #expect(throws: QMPError.self) { try await client.run(QMPCommand("no-such-command")) }
            #expect(error?.code == .refused)

            var pipe: [CInt] = [0, 0]
            try #require(Glibc.pipe(&pipe) == 0)
            try await client.run(.receiveDescriptor(named: "ours"), passing: pipe[1])
            close(pipe[1])
            // QEMU holds the only writing end now, and lets it go when told: the reader sees the end.
            #expect(try await client.run(QMPCommand("closefd", ["fdname": "ours"])) == [:])
            var byte: UInt8 = 0
            #expect(read(pipe[0], &byte, 1) == 0)
            close(pipe[0])

            client.close()
            try await client.closed.get()
            let second = try await QMPClient.connect(path: path, on: loop)
            _ = try await second.run(.quit)
            try await second.closed.get()
        }
    }

    /// QEMU accepts on a socket that listens already, so that nobody has to wait for it to come up.
    private func withQEMU(_ body: (String) async throws -> Void) async throws {
        let path = "/tmp/mags-qmp-\(UInt32.random(in: 0 ... .max)).qemu"
        let listener = try listen(at: path)
        defer { unlink(path) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, listener, 20)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let words = [
            "qemu-system-x86_64", "-M", "none", "-S", "-nodefaults", "-display", "none", "-chardev",
            "socket,id=monitor,fd=20,server=on,wait=off", "-mon", "chardev=monitor,mode=control",
        ]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let status = posix_spawnp(&pid, words[0], &actions, nil, &arguments, environ)
        close(listener)
        try #require(status == 0)
        defer {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
        try await body(path)
    }

    private func listen(at path: String) throws -> CInt {
        let listener = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0 && Glibc.listen(listener, 1) == 0)
        return listener
    }
}
