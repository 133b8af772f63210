package import HostSystem
package import Logging
package import MagsModel
import NIOCore
package import NIOPosix

/// The machines of one server on this host: templates, the pool of clones, claims, adoption, and the end of each.
///
/// The pool's decisions are a value (`PoolState`); this actor feeds it what happened and carries out what it says.
package actor Engine {
    let configuration: EngineConfiguration
    let group: MultiThreadedEventLoopGroup
    let network: HostNetwork?
    let logger: Logger
    let slots = Slots()
    let hostMebibytes = HostMemory.total()
    private let beginning = ContinuousClock.now

    var works: Works?
    private var rack: TemplateRack?
    var pool: PoolState
    /// The pool's clones by their number.
    var clones: [PoolState.CloneNumber: Clone] = [:]
    var claims: [PoolState.ClaimNumber: CheckedContinuation<HandedClone, any Error>] = [:]
    var lastClaim = 0
    var machines: [MachineID: Machine] = [:]
    /// Machines that fall asleep or wake just now.
    var inTransition: Set<MachineID> = []
    /// What goes on in the background; `shutDown` waits for all of it.
    var tasks: [Int: Task<Void, Never>] = [:]
    var lastTask = 0
    private var ticker: Task<Void, Never>?
    var perCloneMebibytes = 96
    var isLookingAgain = false
    /// Bytes of disks of claims that are under way and have room.
    var disksBeingMade: UInt64 = 0
    /// Claims that wait for room for a disk, the first first.
    var diskLine: [Int] = []
    var lastDiskTicket = 0
    /// Counts changes, so that none is missed.
    var diskRound = 0
    var diskWaiters: [Int: CheckedContinuation<Void, Never>] = [:]
    /// Why machines run without limits of control groups, though we are root.
    private var cgroupObstacle: HostError?

    private let executor = QueueExecutor("mags.engine")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// What exists once the engine has started.
    struct Works {
        var launcher: QEMULauncher
        var rack: TemplateRack
    }

    struct HandedClone: Sendable {
        var clone: Clone
        /// Warmed and stopped; else it runs, unwarmed.
        var isStopped: Bool
    }

    /// - Parameter network: nil for machines that have none.
    package init(
        configuration: EngineConfiguration, eventLoopGroup: MultiThreadedEventLoopGroup, network: HostNetwork?,
        logger: Logger
    ) {
        self.configuration = configuration
        group = eventLoopGroup
        self.network = network
        self.logger = logger
        pool = PoolState(
            settings: configuration.poolSettings(hostMebibytes: hostMebibytes),
            standard: MachineKind(image: configuration.image, size: .standard))
        pool.isOpen = false
    }

    /// Probes the host, makes or loads the pool's template and begins to fill the pool. What an earlier process left
    /// running is not touched: `adopt` what is wanted, then `reapLeftovers`.
    package func start() async throws(MachineError) {
        guard works == nil else { return }
        let program = try QEMUProgram.find()
        let reaper = Reaper(configuration: configuration, slots: slots)
        let configuration = configuration
        let memoryBytes = UInt64(configuration.machinesMebibytes(hostMebibytes: hostMebibytes)) << 20
        let (verdict, obstacle) = try await blocking("Probing the host") {
            try MachineFiles.makeFolder(configuration.machinesFolder)
            reaper.reserveSlots()
            let obstacle =
                configuration.isPrivileged
                ? MachineCgroup.prepare(instance: configuration.instance, memoryBytes: memoryBytes) : nil
            return (HostProbe.run(), obstacle)
        }
        cgroupObstacle = obstacle
        if let obstacle { logger.warning("no control groups for machines", metadata: ["why": "\(obstacle)"]) }
        logger.info(
            "accelerator chosen", metadata: ["accelerator": "\(verdict.accelerator)", "why": "\(verdict.reason)"])
        let launcher = QEMULauncher(
            configuration: configuration, network: network, program: program.path, slots: slots, logger: logger)
        let rack = TemplateRack(
            configuration: configuration, launcher: launcher, qemuVersion: program.version, verdict: verdict,
            eventLoop: group.next(), logger: logger)
        self.rack = rack
        do {
            try Task.checkCancellation()
            // The first template takes a boot: whoever does not want the engine any more must not wait for that.
            try await withTaskCancellationHandler {
                _ = try await rack.template(for: pool.standard)
            } onCancel: {
                Task { await rack.close() }
            }
        } catch {
            throw MachineError("Starting", error)
        }
        works = Works(launcher: launcher, rack: rack)
        pool.isOpen = true
        // Memory changes without our doing, and a pool at rest must be noticed without an event.
        ticker = Task { [weak self] in
            while (try? await Task.sleep(for: .seconds(2))) != nil {
                guard let self else { return }
                await self.tick()
            }
        }
        tick()
    }

    package func status() -> PoolCounts {
        PoolCounts(
            idle: pool.count(in: .idle), busy: pool.busyCount, warming: pool.count(in: .restoring, .warming),
            restingSize: pool.settings.restingSize, waiting: pool.waiting.count)
    }

    package func findings() async -> [Finding] {
        guard let works else {
            return [Finding(.bad, "machines", "The engine has not started.", remedy: "See the server's log.")]
        }
        let verdict = await works.rack.verdict
        var all = [
            Finding(
                verdict.accelerator == .kvm ? .good : .weaker, "accelerator",
                "Machines run with \(verdict.accelerator.rawValue.uppercased()): \(verdict.reason)")
        ]
        if let cgroupObstacle { all.append(Diagnosis.noCgroups(cgroupObstacle)) }
        let counts = status()
        let isReady = counts.idle > 0 || counts.restingSize == 0
        all.append(
            Finding(
                isReady ? .good : .weaker, "pool",
                "\(counts.idle) machines stand ready, \(counts.warming) are made, \(counts.busy) are in use, "
                    + "\(counts.waiting) jobs wait."))
        return all
    }

    /// Ends the pool's clones and refuses whoever waits. Machines in use go on; only our connections to them end.
    package func shutDown() async {
        ticker?.cancel()
        await ticker?.value
        ticker = nil
        feed(.close)
        disksChanged()
        await rack?.close()
        for machine in machines.values { machine.leave() }
        while let task = tasks.values.first { await task.value }
        let kept = Set(machines.keys.map(\.text))
        let instance = configuration.instance
        try? await blocking("Removing the groups") { MachineCgroup.removeAll(instance: instance, except: kept) }
    }

    /// Since the engine was made: the pool's clock.
    var now: Duration { ContinuousClock.now - beginning }

    private func tick() {
        feed(.memory(availableMebibytes: HostMemory.available(), perCloneMebibytes: perCloneMebibytes))
        feed(.tick)
        // Others write to the same disk.
        if !diskLine.isEmpty { disksChanged() }
    }

    /// Runs `work` in the background, in a task that `shutDown` waits for.
    func background(_ work: @escaping @Sendable () async -> Void) {
        lastTask += 1
        let number = lastTask
        tasks[number] = Task {
            await work()
            self.finished(number)
        }
    }

    private func finished(_ number: Int) { tasks[number] = nil }
}
