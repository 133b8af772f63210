import Foundation
import HostAgent
import HostSystem
import Logging
import Machines
import NIOPosix
import NodeWire

/// What the host role consists of, how it begins and how it ends.
struct HostRole: Sendable {
    let agent: HostAgent
    private let home: Home
    private let instance: Instance
    private let surroundings: MachineSurroundings
    private let engine: Engine
    private let releases = MachineRelease()
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)

    init(home: Home, instance: Instance, pool: Int?, surroundings: MachineSurroundings, logger: Logger) {
        self.home = home
        self.instance = instance
        self.surroundings = surroundings
        let engine = Engine(
            configuration: EngineConfiguration(
                home: home.home, cache: Home.cache, instance: instance, isPrivileged: geteuid() == 0,
                restingPoolSize: pool),
            eventLoopGroup: group, network: surroundings.network, logger: logger)
        self.engine = engine
        let homePath = home.home
        let diagnosis = SharedDiagnosis {
            await Diagnosis.hostFindings(home: homePath, seen: engine.findings() + [surroundings.finding()])
        }
        agent = HostAgent(
            configuration: .init(home: home.home, uploads: home.uploads), engine: engine,
            clock: JobClock(eventLoop: group.next(), release: releases.release), logger: logger,
            diagnose: diagnosis.findings)
    }

    /// Takes over what an earlier host role left, and makes the first machines. When its task is cancelled it throws soon;
    /// `end` then removes what has come to be.
    func start() async throws -> NodeListener {
        try Task.checkCancellation()
        let inUse = await agent.recover()
        try Task.checkCancellation()
        await engine.reapLeftovers(keeping: inUse)
        // Nobody is served before machines can be made: an assignment must not fail because the server is young.
        try await engine.start()
        try Task.checkCancellation()
        let listener = try await NodeListener.bind(path: home.hostSocket, group: group)
        if let apiUID = instance.apiUID {
            chown(home.hostSocket, 0, apiUID)
            chmod(home.hostSocket, 0o660)
        }
        await agent.readersMayReturn()
        return listener
    }

    /// However far the start came, nothing is left afterwards: neither of this process nor of one before it.
    func end() async {
        await agent.endAll()
        await releases.drain()
        await engine.shutDown()
        // A claim that was under way may have been answered meanwhile.
        await releases.drain()
        await engine.reapLeftovers(keeping: [])
        await surroundings.remove()
        unlink(home.hostSocket)
    }
}
