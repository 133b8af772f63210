import FoundationEssentials
import Glibc
import GuestWire
import HostSystem
import MagsModel
import NIOCore
import Testing

@testable import Machines

extension EngineTests {
    /// Prints what a script can see of its root and where it stands in it.
    private static let look = """
        df --output=size -BM / | tail -1; awk '$2 == "/" {print $1, $3, $4}' /proc/mounts; grep -c . /proc/mounts
        pwd; echo "${OLDPWD-unset} $0 $#"; stat -c '%a %n' /root /tmp /run /etc/machine-id
        wc -c < /etc/machine-id; cat /etc/hostname /etc/resolv.conf /etc/hosts; env | sort | grep -v '^_='
        ls -A / /root /etc | grep -v '^[a-z]'; readlink /proc/self/root /proc/self/cwd /proc/1/root
        test -d /uploads && unshare -Ur true && setpriv --no-new-privs true; echo $?
        """

    @Test("with a disk: the root is as large as asked, and else as without one, from the first line on")
    func hasADisk() async throws {
        try await EngineFixture.with(pool: 2) { fixture in
            var seen: [[Substring]] = []
            for gigabytes in [nil, 3, 1] {
                try await fixture.waitForIdle(1)
                let (run, machine) = try await ScriptRun.claim(
                    EngineTests.look, from: fixture.engine, ClaimRequest(diskGigabytes: gigabytes))
                let disk = fixture.configuration.machinesFolder + "/\(machine.id.text)/disk"
                #expect(MachineFiles.exists(disk) == (gigabytes != nil))
                #expect(machine.record.diskGigabytes == gigabytes)
                await machine.discard()
                #expect(!MachineFiles.exists(disk))
                #expect(run.errors == "")
                seen.append(run.output.split(separator: "\n"))
            }
            let sizes = seen.map { Int($0[0].filter(\.isNumber)) ?? 0 }
            #expect((1900...2048).contains(sizes[0]))
            #expect((2900...3072).contains(sizes[1]))
            #expect((900...1024).contains(sizes[2]))
            #expect(seen[0][1].contains("volatile"))
            for lines in seen[1...] {
                #expect(lines[1].hasPrefix("overlay overlay rw"))
                #expect(lines[1].contains("redirect_dir=on,xino=on") && !lines[1].contains("volatile"))
                #expect(lines.dropFirst(2) == seen[0].dropFirst(2))
            }
        }
    }

    @Test("with a disk: python and a clone that was never warmed find it too, and the image's folders can be renamed")
    func usesADisk() async throws {
        try await EngineFixture.with(pool: 0) { fixture in
            let script = """
                #!/usr/bin/env python3
                import os, shutil
                print(os.getcwd(), shutil.disk_usage("/").total >> 30)
                os.rename("/usr/share/doc", "/usr/share/papers")
                os.link("/etc/passwd", "/etc/names")
                open("/root/large", "wb").write(os.urandom(3 << 20))
                print(os.path.exists("/usr/share/doc"), len(os.listdir("/usr/share/papers")) > 5)
                """
            let (run, machine) = try await ScriptRun.claim(
                script, from: fixture.engine, ClaimRequest(diskGigabytes: 4))
            #expect(run.errors == "")
            #expect(run.output == "/root 3\nFalse True\n")
            let later = try await ScriptRun.run("ls -s /root/large | cut -d' ' -f1; pwd", in: machine, stream: 2)
            #expect(later.output == "3072\n/root\n")
            await machine.discard()
        }
    }

    @Test("what was synced is on the disk when the machine is gone, and the file system is whole")
    func keepsWhatWasSynced() async throws {
        try await EngineFixture.with(pool: 1) { fixture in
            try await fixture.waitForIdle(1)
            let (run, machine) = try await ScriptRun.claim(
                "mkdir /srv/kept; seq 1000 > /srv/kept/numbers; rm -r /usr/share/doc; sync; echo done",
                from: fixture.engine, ClaimRequest(diskGigabytes: 2))
            #expect(run.output == "done\n")
            let disk = fixture.configuration.machinesFolder + "/\(machine.id.text)/disk"
            let kept = fixture.configuration.home + "/kept"
            try #require(link(disk, kept) == 0)
            await machine.discard()
            // First the journal, as after any crash; then nothing may be left to repair.
            let replayed = try await EngineTests.end(of: "e2fsck", ["-fp", kept])
            #expect([.exited(0), .exited(1)].contains(replayed))
            #expect(try await EngineTests.end(of: "e2fsck", ["-fn", kept]).isSuccess)
            let copy = fixture.configuration.home + "/numbers"
            _ = try await EngineTests.end(of: "debugfs", ["-R", "dump /up/srv/kept/numbers \(copy)", kept])
            let numbers = try String(contentsOfFile: copy, encoding: .utf8)
            #expect(numbers == (1...1000).map { "\($0)\n" }.joined())
        }
    }

    @Test("a script that fills its disk gets no more of the host than it asked for")
    func fillsADisk() async throws {
        try await EngineFixture.with(pool: 1) { fixture in
            try await fixture.waitForIdle(1)
            let (run, machine) = try await ScriptRun.claim(
                """
                dd if=/dev/zero of=/root/fill bs=1M oflag=direct; echo $?; rm /root/fill; echo there > /root/room
                cat /root/room; cat /proc/mounts | grep -c ' / overlay rw'
                """, from: fixture.engine, ClaimRequest(diskGigabytes: 1))
            #expect(run.output == "1\nthere\n1\n")
            #expect(run.errors.contains("No space left on device"))
            var status = stat()
            try #require(stat(fixture.configuration.machinesFolder + "/\(machine.id.text)/disk", &status) == 0)
            #expect(status.st_size == 1 << 30)
            #expect(status.st_blocks * 512 <= 1 << 30)
            await machine.discard()
        }
    }

    @Test("a machine with a disk goes on under another engine")
    func adoptsADisk() async throws {
        try await EngineFixture.with(pool: 0) { fixture in
            let (run, machine) = try await ScriptRun.claim(
                "echo kept > /root/note", from: fixture.engine, ClaimRequest(diskGigabytes: 1))
            #expect(run.exit?.code == 0)
            machine.leave()
            try await machine.eventLoop.submit {}.get()
            let record = try JSONDecoder().decode(MachineRecord.self, from: JSONEncoder().encode(machine.record))
            let second = fixture.makeEngine()
            let adopted = try await second.adopt(record, received: machine.received)
            await second.reapLeftovers(keeping: [])
            let later = try await ScriptRun.run(
                "cat /root/note; df --output=size -BG / | tail -1 | tr -d ' '", in: adopted, stream: 2)
            #expect(later.output == "kept\n1G\n")
            #expect(adopted.record.diskGigabytes == 1)
            await adopted.discard()
            #expect(MachineFiles.names(in: fixture.configuration.machinesFolder) == [])
            await machine.discard()
        }
    }

    private static func end(of program: String, _ arguments: [String]) async throws -> HostSystem.ExitStatus {
        let path = try #require(QEMUProgram.path(of: program))
        let process = try ChildProcess.spawn(ProcessSpec(program: path, arguments: [program] + arguments))
        return await process.waitForExit()
    }

    @Test("with disks wait for one another's room, in line, and one that could never have it is refused at once")
    func waitsForRoom() async throws {
        guard geteuid() == 0 else { return }
        try await EngineFixture.with(pool: 0) { fixture in
            let folder = fixture.configuration.machinesFolder
            try #require(mount("tmpfs", folder, "tmpfs", 0, "size=3g") == 0)
            defer { umount2(folder, Int32(MNT_DETACH)) }
            let engine = fixture.engine
            let error = await #expect(throws: MachineError.self) {
                _ = try await engine.claim(ClaimRequest(diskGigabytes: 3))
            }
            #expect(error?.code == "node_disk_full")
            var machines: [Machine] = []
            for _ in 0..<2 { machines.append(try await engine.claim(ClaimRequest(diskGigabytes: 1))) }
            let third = Task { try await engine.claim(ClaimRequest(diskGigabytes: 1)) }
            try await fixture.wait { await !engine.diskWaiters.isEmpty }
            // One that needs none is not held up, and one that is given up does not hold up.
            try await engine.claim(ClaimRequest()).discard()
            let fourth = Task { try await engine.claim(ClaimRequest(diskGigabytes: 1)) }
            try await fixture.wait { await engine.diskLine.count == 2 }
            fourth.cancel()
            await #expect(throws: (any Error).self) { _ = try await fourth.value }
            await machines.removeFirst().discard()
            machines.append(try await third.value)
            #expect(await engine.diskLine.isEmpty)
            for machine in machines { await machine.discard() }
            #expect(await engine.disksBeingMade == 0)
        }
    }
}
