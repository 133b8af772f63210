import FoundationEssentials
import Glibc
import GuestWire
import HostSystem
import Logging
import MagsModel
import NIOPosix
import Testing

@testable import Machines

/// An engine over real QEMUs in a home of its own; afterwards nothing of it is left on the host.
struct EngineFixture {
    let engine: Engine
    let configuration: EngineConfiguration
    let network: HostNetwork?
    let logger: Logger

    static var cache: String {
        if let set = getenv("MAGS_CACHE") { return String(cString: set) }
        if let set = getenv("XDG_CACHE_HOME") { return String(cString: set) + "/mags" }
        return (getenv("HOME").map { String(cString: $0) } ?? "/root") + "/.cache/mags"
    }

    /// Runs `body` with a started engine whose pool has these many clones at rest.
    static func with(
        pool: Int, maximumMachines: Int = 60, cache: String = EngineFixture.cache,
        _ body: (EngineFixture) async throws -> Void
    ) async throws {
        let home = "/tmp/mags-eng-\(String(UInt32.random(in: 0 ... .max), radix: 16))"
        try MachineFiles.makeFolder(home)
        let instance = try InstanceRegister.acquire(home: home)
        var logger = Logger(label: "engine-test")
        logger.logLevel = getenv("MAGS_TEST_LOG").flatMap { Logger.Level(rawValue: String(cString: $0)) } ?? .critical
        let network = HostNetwork.isAvailable ? HostNetwork(instance: instance, logger: logger) : nil
        try await network?.prepare()
        let fixture = EngineFixture(
            home: home, cache: cache, instance: instance, pool: pool, maximumMachines: maximumMachines,
            network: network,
            logger: logger)
        var failure: (any Error)?
        do {
            try await fixture.engine.start()
            try await body(fixture)
        } catch {
            failure = error
        }
        await fixture.engine.shutDown()
        await fixture.makeEngine().reapLeftovers(keeping: [])
        #expect(MachineFiles.names(in: fixture.configuration.machinesFolder) == [])
        await network?.remove()
        MachineCgroup.removeAll(instance: instance)
        InstanceRegister.release(home: home)
        MachineFiles.remove(home)
        if let failure { throw failure }
    }

    private init(
        home: String, cache: String, instance: Instance, pool: Int, maximumMachines: Int, network: HostNetwork?,
        logger: Logger
    ) {
        configuration = EngineConfiguration(
            home: home, cache: cache, instance: instance, isPrivileged: geteuid() == 0, restingPoolSize: pool,
            maximumMachines: maximumMachines)
        self.network = network
        self.logger = logger
        engine = Engine(
            configuration: configuration, eventLoopGroup: .singleton, network: network, logger: logger)
    }

    /// Another engine of the same server, as after a restart.
    func makeEngine() -> Engine {
        Engine(configuration: configuration, eventLoopGroup: .singleton, network: network, logger: logger)
    }

    /// Waits until so many clones stand ready.
    func waitForIdle(_ count: Int) async throws {
        while await engine.status().idle < count { try await Task.sleep(for: .milliseconds(20)) }
    }

    /// For what nothing tells of. Bounded, and without keeping a thread of the pool busy: what never comes fails its test
    /// instead of starving all others.
    func wait(until holds: () async -> Bool) async throws {
        for _ in 0..<6000 {
            if await holds() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw MachineError("never", "What was waited for did not come within a minute.")
    }

    static func owner(of pid: Int32) -> UInt32? {
        var status = stat()
        return stat("/proc/\(pid)", &status) == 0 ? status.st_uid : nil
    }

    /// Processes of this server's machines.
    func processes() -> [Int32] {
        let name = "mags-\(configuration.instance.name)-"
        return MachineFiles.names(in: "/proc").compactMap { Int32($0) }.filter { pid in
            guard let line = try? Data(contentsOf: URL(filePath: "/proc/\(pid)/cmdline")) else { return false }
            return String(decoding: line, as: UTF8.self).contains(name)
        }
    }
}

/// What a script did in a machine.
struct ScriptRun {
    var output = ""
    var errors = ""
    var exit: Exit?
    /// From just before the claim or the exec was sent to the first byte of output.
    var firstByte: Duration?

    /// Sends the script to a machine that is claimed already.
    static func run(_ script: String, in machine: Machine, stream: UInt16 = 1) async throws -> ScriptRun {
        let start = ContinuousClock.now
        machine.send(exec(script, stream: stream))
        return try await collect(from: machine, since: start, stream: stream)
    }

    /// Claims a machine with the script right behind the claim.
    static func claim(
        _ script: String, from engine: Engine, _ request: ClaimRequest = ClaimRequest()
    ) async throws -> (ScriptRun, Machine) {
        let start = ContinuousClock.now
        let machine = try await engine.claim(request) { _ in [exec(script, stream: 1)] }
        return (try await collect(from: machine, since: start, stream: 1), machine)
    }

    static func exec(_ script: String, stream: UInt16) -> Frame {
        Exec(program: .script(Array(script.utf8))).frame(stream: stream)
    }

    static func collect(
        from machine: Machine, since start: ContinuousClock.Instant, stream: UInt16
    ) async throws -> ScriptRun {
        let (events, tell) = AsyncStream.makeStream(of: (GuestEvent, ContinuousClock.Instant).self)
        machine.attach { tell.yield(($0, .now)) }
        var run = ScriptRun()
        for await (event, time) in events {
            switch event {
            case .lost(let loss): throw loss
            case .caughtUp: continue
            case .frame(let frame, _):
                guard frame.stream == stream else { continue }
                switch frame.kind {
                case .stdout, .stderr:
                    if run.firstByte == nil { run.firstByte = time - start }
                    let text = String(decoding: frame.payload, as: UTF8.self)
                    if frame.kind == .stdout { run.output += text } else { run.errors += text }
                case .exited:
                    run.exit = try Exit(frame)
                    return run
                case .failed: throw MachineError("exec_failed", "\(try ExecFailure(frame))")
                default: break
                }
            }
        }
        throw GuestLoss.ended
    }
}
