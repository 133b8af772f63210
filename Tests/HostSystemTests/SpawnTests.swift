import Glibc
import Testing

@testable import HostSystem

@Suite("A started process")
struct SpawnTests {
    @Test("gets the named descriptors and no other")
    func descriptors() async throws {
        // One that a careless library left open to children must not get through either.
        let stray = dup(2)
        defer { close(stray) }
        let (first, second) = (try FileDescriptor.memfd(name: "first"), try FileDescriptor.memfd(name: "second"))
        try SystemFile.write("one", to: first, named: "first")
        try SystemFile.write("two", to: second, named: "second")
        var spec = shell(
            "i=0; while [ $i -lt 300 ]; do [ -e /proc/$$/fd/$i ] && echo $i; i=$((i+1)); done; cat /proc/$$/fd/7")
        // Crossed on purpose: each takes a number that the other has with us, unless the tests beside this one hold so
        // many that these lie beyond what a child may be given.
        let isLow = max(first.rawValue, second.rawValue) < 256
        let (one, two) = isLow ? (first.rawValue, second.rawValue) : (20, 21)
        spec.descriptors = [one: second, two: first, 7: second, 2: first]
        let found = try await outcome(of: spec)
        let expected = Set([0, 1, 2, 7, one, two]).sorted().map { "\($0)" }
        #expect(found.lines == expected + ["two"])
    }

    @Test("starts from a descriptor of its program")
    func programDescriptor() async throws {
        var spec = shell("")
        spec.programDescriptor = try FileDescriptor.open("/bin/echo", O_RDONLY)
        spec.program = "nowhere"
        spec.arguments = ["echo", "hello"]
        #expect(try await outcome(of: spec).lines == ["hello"])
    }

    @Test("has its user and group, no further groups, no capabilities and no way to new ones", .enabled(if: isRoot))
    func privileges() async throws {
        var spec = ProcessSpec(program: "/bin/cat", arguments: ["cat", "/proc/self/status"])
        spec.uid = 0x3fff_0001
        spec.gid = 0x3fff_0002
        let found = try await outcome(of: spec)
        let (user, group) = ("\(0x3fff_0001)", "\(0x3fff_0002)")
        #expect(found["Uid"] == Array(repeating: user, count: 4).joined(separator: "\t"))
        #expect(found["Gid"] == Array(repeating: group, count: 4).joined(separator: "\t"))
        #expect(found["Groups"] == "")
        for set in ["CapPrm", "CapEff", "CapInh", "CapAmb"] { #expect(found[set] == "0000000000000000") }
        #expect(found["NoNewPrivs"] == "1")
    }

    @Test("ignores no signal that we ignore, and blocks none")
    func signals() async throws {
        signal(SIGPIPE, SIG_IGN)
        let found = try await outcome(of: ProcessSpec(program: "/bin/cat", arguments: ["cat", "/proc/self/status"]))
        #expect(found["SigIgn"] == "0000000000000000")
        #expect(found["SigBlk"] == "0000000000000000")
    }

    @Test("has its own limits, session and folder")
    func surroundings() async throws {
        var spec = shell("ulimit -n; ulimit -c; cut -d ' ' -f 6 /proc/$$/stat; echo $$; pwd; env | grep ^A=")
        spec.maximumOpenFiles = 99
        spec.directory = "/usr"
        spec.environment.append("A=b c")
        let found = try await outcome(of: spec)
        #expect(found.lines.count == 6)
        #expect(found.lines.first == "99")
        #expect(found.lines[1...].first == "0")
        #expect(Set(found.lines[2...3]).count == 1)
        #expect(found.lines[4...] == ["/usr", "A=b c"])
    }

    @Test("has mounts and a network of its own", .enabled(if: isRoot))
    func namespaces() async throws {
        let (namespace, _) = try await NetworkNamespace.make { () throws(HostError) in }
        var spec = shell("readlink /proc/self/ns/mnt /proc/self/ns/net; ls /sys/class/net >/dev/null")
        let ours = try await outcome(of: spec)
        spec.hasPrivateMounts = true
        spec.networkNamespace = namespace
        let own = try await outcome(of: spec)
        #expect(own.lines.count == 2)
        #expect(Set(ours.lines).isDisjoint(with: own.lines))
        spec = shell("ls -A /root; ls -A /var; touch /root/x 2>&1; ls /usr | head -1")
        spec.hasPrivateMounts = true
        spec.hiddenFolders = ["/var", "/nowhere/at/all", "/root"]
        let hidden = try await outcome(of: spec)
        #expect(hidden.lines == ["touch: cannot touch '/root/x': Read-only file system", "bin"])
    }

    @Test("that cannot start says at which step and why, and leaves nothing")
    func failures() throws {
        var spec = ProcessSpec(program: "/nowhere/at/all", arguments: ["x"])
        #expect(failure(of: spec)?.code == "program_missing")
        spec.program = "/etc/passwd"
        #expect(failure(of: spec)?.message == "/etc/passwd could not be started: the program: Permission denied.")
        spec.program = "/bin/true"
        spec.directory = "/nowhere"
        #expect(failure(of: spec)?.message.contains("entering its folder: No such file or directory") == true)
        spec.networkNamespace = try FileDescriptor.memfd(name: "no namespace")
        #expect(failure(of: spec)?.message.contains("its network namespace") == true)
        spec.descriptors = [256: try FileDescriptor.memfd(name: "far")]
        #expect(failure(of: spec)?.code == "bad_process")
    }

    private func failure(of spec: ProcessSpec) -> HostError? {
        do throws(HostError) {
            _ = try ChildProcess.spawn(spec)
            return nil
        } catch {
            return error
        }
    }
}
