import Glibc
import GuestWire
import HostSystem
import MagsModel
import NIOCore
import Synchronization
import Testing

@testable import Machines

/// With real QEMUs, one after the other: each of these takes the processors for itself.
@Suite("An engine", .serialized)
struct EngineTests {
    @Test("claims a warmed clone, the script behind the claim runs in it, and discarding leaves nothing")
    func claimsAndDiscards() async throws {
        try await EngineFixture.with(pool: 1) { fixture in
            try await fixture.waitForIdle(1)
            let (run, machine) = try await ScriptRun.claim("echo hi; echo no >&2; exit 3", from: fixture.engine)
            #expect(run.output == "hi\n")
            #expect(run.errors == "no\n")
            #expect(run.exit == Exit(code: 3, stdoutCount: 3, stderrCount: 3))
            #expect(await fixture.engine.status().busy == 1)

            let folder = fixture.configuration.machinesFolder + "/" + machine.id.text
            let instance = fixture.configuration.instance
            #expect(ChildProcess.adopt(pid: machine.record.pid, startTime: machine.record.startTime) != nil)
            #expect(MachineFiles.exists(folder))
            if fixture.configuration.isPrivileged {
                #expect(MachineCgroup.existing(instance: instance, machine: machine.id.text) != nil)
                #expect(EngineFixture.owner(of: machine.record.pid) == instance.machineUID(machine.record.slot))
            }
            let port = "/sys/class/net/\(instance.bridgeName)p\(machine.record.slot)"
            if fixture.network != nil { #expect(MachineFiles.exists(port)) }

            await machine.discard()
            await machine.discard()
            #expect(ChildProcess.adopt(pid: machine.record.pid, startTime: machine.record.startTime) == nil)
            #expect(!MachineFiles.exists(folder))
            #expect(MachineCgroup.existing(instance: instance, machine: machine.id.text) == nil)
            // The kernel takes a namespace apart a moment after its last user.
            while MachineFiles.exists(port) { try await Task.sleep(for: .milliseconds(10)) }
            #expect(await fixture.engine.status().busy == 0)
        }
    }

    @Test("a script whose machine is lost while it is handed over is not given to another one")
    func givesAScriptAwayOnce() async throws {
        try await EngineFixture.with(pool: 2) { fixture in
            try await fixture.waitForIdle(2)
            let handovers = Mutex(0)
            let error = await #expect(throws: MachineError.self) {
                _ = try await fixture.engine.claim(ClaimRequest()) { candidate in
                    handovers.withLock { $0 += 1 }
                    kill(candidate.record.pid, SIGKILL)
                    return [ScriptRun.exec("echo hi", stream: 1)]
                }
            }
            #expect(error?.code == "machine_lost")
            #expect(handovers.withLock { $0 } == 1)
        }
    }

    @Test("restores on demand for claims that find the pool empty, and no two machines have anything secret in common")
    func makesDistinctMachines() async throws {
        try await EngineFixture.with(pool: 0) { fixture in
            let script = """
                cat /etc/machine-id /proc/sys/kernel/random/boot_id
                head -c 16 /dev/urandom | od -An -tx1; echo $RANDOM$SRANDOM; hostname; date +%s.%N
                """
            let lines = try await withThrowingTaskGroup(of: [String].self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        let (run, machine) = try await ScriptRun.claim(script, from: fixture.engine)
                        let now = Clone.wallClock()
                        await machine.discard()
                        let lines = run.output.split(separator: "\n").map(String.init)
                        let seconds = try #require(Double(lines.last ?? ""))
                        #expect(abs(seconds - Double(now) / 1_000_000_000) < 5)
                        return lines
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            for index in 0..<4 {
                #expect(Set(lines.map { $0[index] }).count == 20, "line \(index) of the script's output")
            }
            #expect(Set(lines.map { $0[4] }) == ["mags-vm"])
        }
    }

    @Test("sets a machine's clock to half a second")
    func setsTheClock() async throws {
        try await EngineFixture.with(pool: 1) { fixture in
            try await fixture.waitForIdle(1)
            let before = Double(Clone.wallClock()) / 1_000_000_000
            let (run, machine) = try await ScriptRun.claim("date +%s.%N", from: fixture.engine)
            let after = Double(Clone.wallClock()) / 1_000_000_000
            await machine.discard()
            let seconds = try #require(Double(run.output.split(separator: "\n").first ?? ""))
            #expect(seconds > before - 0.5 && seconds < after + 0.5)
        }
    }

    @Test("goes on with a machine of an engine that is gone, and no byte of output is lost or comes twice")
    func adopts() async throws {
        try await EngineFixture.with(pool: 0) { fixture in
            let script = "for i in $(seq 1 20000); do echo line $i; done; echo done"
            let machine = try await fixture.engine.claim(ClaimRequest()) { _ in
                [ScriptRun.exec(script, stream: 1)]
            }
            // What the handler has returned from is processed; until somewhere in the middle.
            let first = OutputReader()
            machine.attach { first.take($0) }
            try await first.wait(forBytes: 1000)
            machine.leave()
            try await machine.eventLoop.submit {}.get()
            var (output, received) = first.progress
            #expect(received == machine.received)

            let second = fixture.makeEngine()
            let adopted = try await second.adopt(machine.record, received: received)
            await second.reapLeftovers(keeping: [])
            #expect(adopted.id == machine.id)
            #expect(await second.status().busy == 1)
            for await event in OutputReader.events(of: adopted) {
                guard case .frame(let frame, let position) = event else { break }
                #expect(position == received + UInt64(frame.wireSize))
                received = position
                if frame.kind == .stdout {
                    output += frame.payload
                    adopted.send(OutputReader.credit(beyond: output.count))
                }
                if frame.kind == .exited { break }
            }
            let lines = String(decoding: output, as: UTF8.self).split(separator: "\n")
            #expect(lines.count == 20001)
            #expect(lines.last == "done")
            #expect(lines.dropLast() == (1...20000).map { "line \($0)" }[...])
            await adopted.discard()
            await #expect(throws: MachineError.self) { try await second.adopt(machine.record, received: received) }
            await machine.discard()
        }
    }

    @Test("goes on with a machine whose first host agent saw nothing of it, from where it was before the claim")
    func adoptsTheUnseen() async throws {
        try await EngineFixture.with(pool: 0) { fixture in
            let before = Recorder<UInt64>()
            let machine = try await fixture.engine.claim(ClaimRequest()) { candidate in
                _ = before.add(candidate.received)
                return [ScriptRun.exec("echo once", stream: 1)]
            }
            machine.leave()
            try await machine.eventLoop.submit {}.get()

            let second = fixture.makeEngine()
            let adopted = try await second.adopt(machine.record, received: try #require(before.all.last))
            await second.reapLeftovers(keeping: [])
            var kinds: [FrameKind] = []
            var output: [UInt8] = []
            for await event in OutputReader.events(of: adopted) {
                guard case .frame(let frame, _) = event else { break }
                kinds.append(frame.kind)
                if frame.kind == .stdout { output += frame.payload }
                if frame.kind == .exited { break }
            }
            #expect(kinds == [.claimed, .started, .stdout, .exited])
            #expect(String(decoding: output, as: UTF8.self) == "once\n")
            await adopted.discard()
            await machine.discard()
        }
    }

    @Test("reaps what an earlier engine left, but nothing that is to be kept")
    func reaps() async throws {
        try await EngineFixture.with(pool: 0) { fixture in
            let kept = try await fixture.engine.claim(ClaimRequest())
            let left = try await fixture.engine.claim(ClaimRequest())
            let second = fixture.makeEngine()
            await second.reapLeftovers(keeping: [kept.id])
            #expect(fixture.processes() == [kept.record.pid])
            #expect(MachineFiles.names(in: fixture.configuration.machinesFolder) == [kept.id.text])
            await kept.discard()
            await left.discard()
        }
    }

    @Test("takes another clone when one fails in the claim, and asks again for the first frames")
    func takesAnother() async throws {
        try await EngineFixture.with(pool: 2) { fixture in
            try await fixture.waitForIdle(2)
            let candidates = Recorder<MachineCandidate>()
            // QEMU is gone before it takes the disk, so nothing reached the guest.
            let machine = try await fixture.engine.claim(ClaimRequest(diskGigabytes: 1)) { candidate in
                if candidates.add(candidate) == 1 { kill(candidate.record.pid, SIGKILL) }
                return [ScriptRun.exec("echo once", stream: 1)]
            }
            let run = try await ScriptRun.collect(from: machine, since: .now, stream: 1)
            #expect(run.output == "once\n")
            #expect(candidates.all.count == 2)
            #expect(candidates.all.last?.id == machine.id)
            #expect(candidates.all.first?.id != machine.id)
            #expect(candidates.all.first?.record.key != machine.record.key)
            await machine.discard()
        }
    }

    @Test("ends a claim with what its first frames throw, and gives the clone up")
    func passesErrorsOn() async throws {
        struct Refusal: Error {}
        try await EngineFixture.with(pool: 0) { fixture in
            await #expect(throws: Refusal.self) {
                try await fixture.engine.claim(ClaimRequest()) { _ in throw Refusal() }
            }
            while await fixture.engine.status().busy > 0 { try await Task.sleep(for: .milliseconds(10)) }
            #expect(fixture.processes() == [])
        }
    }

    @Test("serves a burst of 40 claims with room for 6 machines, and a cancelled one leaves the line")
    func servesABurst() async throws {
        try await EngineFixture.with(pool: 2, maximumMachines: 6) { fixture in
            let outputs = try await withThrowingTaskGroup(of: String.self) { group in
                for number in 0..<40 {
                    group.addTask {
                        let (run, machine) = try await ScriptRun.claim("echo \(number)", from: fixture.engine)
                        await machine.discard()
                        return run.output
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(outputs) == Set((0..<40).map { "\($0)\n" }))
            let counts = await fixture.engine.status()
            #expect(counts.waiting == 0)
            #expect(counts.busy == 0)

            let machines = try await withThrowingTaskGroup(of: Machine.self) { group in
                for _ in 0..<6 { group.addTask { try await fixture.engine.claim(ClaimRequest()) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let late = Task { try await fixture.engine.claim(ClaimRequest()) }
            while await fixture.engine.status().waiting == 0 { try await Task.sleep(for: .milliseconds(5)) }
            late.cancel()
            await #expect(throws: MachineError.cancelled) { try await late.value }
            #expect(await fixture.engine.status().waiting == 0)
            for machine in machines { await machine.discard() }
        }
    }
}
