import FoundationEssentials
import Glibc
import GuestWire
import HostSystem
import MagsModel
import Testing

@testable import Machines

extension EngineTests {
    /// Counts ten times a second, without a gap, and answers on a port with how far it is.
    private static let counter = """
        #!/usr/bin/env python3
        import http.server, threading, time
        count = 0
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"count %d" % count)
            def log_message(self, *_): pass
        server = http.server.HTTPServer(("127.0.0.1", 8080), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        while True:
            count += 1
            print(count, flush=True)
            time.sleep(0.1)
        """

    @Test(
        "puts a machine to sleep and wakes it: programs, listeners, files and output go on, clock and randomness are new"
    )
    func sleeps() async throws {
        try await EngineFixture.with(pool: 1) { fixture in
            let engine = fixture.engine
            var machine = try await engine.claim(ClaimRequest(diskGigabytes: 1)) { _ in
                [ScriptRun.exec(EngineTests.counter, stream: 1)]
            }
            let reader = OutputReader()
            machine.attach(reader.take)
            try await reader.wait(forBytes: 4)
            var seen: Set<String> = []
            for round in 1...3 {
                let sleeping = try await engine.sleep(machine) { _ in }
                #expect(sleeping.bytes < 64 << 20)
                #expect(ChildProcess.adopt(pid: sleeping.record.pid, startTime: sleeping.record.startTime) == nil)
                #expect(fixture.processes().allSatisfy { $0 != sleeping.record.pid })
                #expect(await engine.status().busy == 0)
                machine = try await engine.wake(sleeping) { _ in }
                #expect(machine.id == sleeping.id)
                let before = reader.progress.output.count
                machine.attach(reader.take)
                try await reader.wait(forBytes: before + 4)
                let asked = Double(Clone.wallClock()) / 1e9
                let look = try await Look.take(
                    "date +%s.%N; head -c 16 /dev/urandom | od -An -tx1; curl -s localhost:8080; echo; "
                        + "cat /root/file; echo \(round) >> /root/file; sync", in: machine, stream: UInt16(10 + round),
                    reader)
                let now = Double(Clone.wallClock()) / 1e9
                let lines = look.split(separator: "\n", omittingEmptySubsequences: false)
                try #require(lines.count > 3)
                #expect((asked - 0.5...now + 0.5).contains(Double(lines[0]) ?? 0))
                #expect(seen.insert(String(lines[1])).inserted)
                #expect(lines[2].hasPrefix("count "))
                #expect(lines[3...].filter { !$0.isEmpty }.map { String($0) } == (1..<round).map { "\($0)" })
            }
            let numbers = String(decoding: reader.progress.output, as: UTF8.self).split(separator: "\n").dropLast()
            #expect(numbers.compactMap { Int($0) } == Array(1...numbers.count))
            await machine.discard()
        }
    }
}

extension EngineTests {
    private func counting(_ fixture: EngineFixture) async throws -> (Machine, OutputReader) {
        let machine = try await fixture.engine.claim(ClaimRequest()) { _ in
            [ScriptRun.exec("i=0; while sleep 0.1; do echo $((i += 1)); done", stream: 1)]
        }
        let reader = OutputReader()
        machine.attach(reader.take)
        try await reader.wait(forBytes: 4)
        return (machine, reader)
    }

    private func goesOn(_ machine: Machine, _ reader: OutputReader) async throws {
        let before = reader.progress.output.count
        machine.attach(reader.take)
        try await reader.wait(forBytes: before + 6)
        let numbers = String(decoding: reader.progress.output, as: UTF8.self).split(separator: "\n").dropLast()
        #expect(numbers.compactMap { Int($0) } == Array(1...numbers.count))
    }

    @Test("never lets a machine go on from a damaged memory, and leaves what sleeps as it was")
    func damagedMemory() async throws {
        try await EngineFixture.with(pool: 0) { fixture in
            let (machine, reader) = try await counting(fixture)
            let sleeping = try await fixture.engine.sleep(machine) { _ in }
            let folder = fixture.configuration.machinesFolder + "/" + sleeping.id.text
            for (path, offset) in [
                (SleepingMachine.memoryPath(in: folder), 0), (SleepingMachine.memoryPath(in: folder), 8 * 1024 + 5),
                (SleepingMachine.memoryPath(in: folder), Int(sleeping.memory.bytes) - 1),
                (SleepingMachine.devicesPath(in: folder), 1000),
            ] {
                try flip(offset, of: path)
                let error = await #expect(throws: MachineError.self) {
                    _ = try await fixture.engine.wake(sleeping) { _ in Issue.record("was about to go on") }
                }
                #expect(error?.code == "memory_damaged")
                #expect(fixture.processes() == [])
                try flip(offset, of: path)
            }
            let again = try await fixture.engine.wake(sleeping) { _ in }
            try await goesOn(again, reader)
            await again.discard()
        }
    }

    private func flip(_ offset: Int, of path: String) throws {
        let file = try FileDescriptor.open(path, O_RDWR)
        var byte: UInt8 = 0
        try #require(pread(file.rawValue, &byte, 1, off_t(offset)) == 1)
        byte ^= 0x10
        try #require(pwrite(file.rawValue, &byte, 1, off_t(offset)) == 1)
    }

    private struct NotKept: Error {}

    @Test("lets a machine go on whose sleep, and sleep on whose wake, cannot be written down")
    func notKept() async throws {
        try await EngineFixture.with(pool: 0) { fixture in
            let (machine, reader) = try await counting(fixture)
            await #expect(throws: MachineError.self) {
                _ = try await fixture.engine.sleep(machine) { _ in throw NotKept() }
            }
            try await goesOn(machine, reader)
            let sleeping = try await fixture.engine.sleep(machine) { _ in }
            await #expect(throws: MachineError.self) {
                _ = try await fixture.engine.wake(sleeping) { _ in throw NotKept() }
            }
            #expect(fixture.processes() == [])
            let again = try await fixture.engine.wake(sleeping) { _ in }
            try await goesOn(again, reader)
            await fixture.engine.remove(try await fixture.engine.sleep(again) { _ in })
            #expect(MachineFiles.names(in: fixture.configuration.machinesFolder) == [])
        }
    }

    @Test("takes over a machine that lay down when the host process ended, and it goes on")
    func adoptsLyingDown() async throws {
        try await EngineFixture.with(pool: 0) { fixture in
            let (machine, reader) = try await counting(fixture)
            var signposts = Signposts()
            _ = try await machine.clone.lieDown(
                machine.record, template: try #require(machine.record.template), &signposts)
            // As if the process ended here: its connections go, and nothing else.
            machine.leave()
            let next = fixture.makeEngine()
            try await next.start()
            let adopted = try await next.adopt(machine.record, received: reader.progress.received)
            try await goesOn(adopted, reader)
            await adopted.discard()
            await next.shutDown()
            await machine.discard()
        }
    }

    @Test("a machine whose QEMU is killed while it falls asleep or wakes is asleep or lost, never a mixture")
    func killedBetween() async throws {
        try await EngineFixture.with(pool: 0) { fixture in
            var generator = SystemRandomNumberGenerator()
            for _ in 0..<10 {
                let (machine, reader) = try await counting(fixture)
                // By a descriptor: the pid may be another's when the time has come.
                let process = ChildProcess.adopt(pid: machine.record.pid, startTime: machine.record.startTime)
                let delay = UInt64.random(in: 0...60_000_000, using: &generator)
                let killer = Task {
                    try await Task.sleep(nanoseconds: delay)
                    process?.signal(SIGKILL)
                }
                do {
                    let sleeping = try await fixture.engine.sleep(machine) { _ in }
                    let again = try await fixture.engine.wake(sleeping) { _ in }
                    try await goesOn(again, reader)
                    await again.discard()
                } catch let error as MachineError {
                    #expect(
                        ["guest_lost", "qemu_failed", "no_memory", "host_refused"].contains(error.code),
                        "\(error) after \(delay) ns")
                    await machine.discard()
                }
                try await killer.value
                #expect(fixture.processes() == [])
                #expect(MachineFiles.names(in: fixture.configuration.machinesFolder) == [])
            }
        }
    }
}

/// An exec beside the script whose output somebody reads.
enum Look {
    static func take(
        _ script: String, in machine: Machine, stream: UInt16, _ reader: OutputReader
    ) async throws -> String {
        let (ends, tell) = AsyncStream.makeStream(of: String.self)
        let output = Recorder<String>()
        machine.attach { event in
            if case .frame(let frame, _) = event, frame.stream == stream {
                if frame.kind == .stdout { _ = output.add(String(decoding: frame.payload, as: UTF8.self)) }
                if frame.kind == .exited || frame.kind == .failed { tell.finish() }
                return
            }
            if case .lost = event { tell.finish() }
            reader.take(event)
        }
        machine.send(ScriptRun.exec(script, stream: stream))
        for await _ in ends {}
        return output.all.joined()
    }
}
