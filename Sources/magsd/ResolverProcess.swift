import ArgumentParser
import Foundation
import HostSystem
import Logging
import Resolver

/// Runs and keeps the confined process that answers the machines' name look-ups.
actor ResolverProcess {
    private let instance: Instance
    private let network: HostNetwork
    private let logger: Logger
    private var child: ChildProcess?
    private var keeper: Task<Void, Never>?

    init(instance: Instance, network: HostNetwork, logger: Logger) {
        self.instance = instance
        self.network = network
        self.logger = logger
    }

    func start() {
        keeper = Task {
            while !Task.isCancelled {
                do {
                    let child = try await spawn()
                    self.child = child
                    // Told to stop while it was being started.
                    if Task.isCancelled { child.signal(SIGTERM) }
                    let status = await child.waitForExit()
                    if Task.isCancelled { return }
                    logger.warning("resolver ended, starting it again", metadata: ["status": "\(status)"])
                } catch {
                    logger.error("resolver not started", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    private func spawn() async throws -> ChildProcess {
        let sockets = try await network.resolverSockets()
        let life = try FileDescriptor.pipe()
        lifeLine = life.write
        let log = try FileDescriptor.duplicate(of: 2)
        return try ChildProcess.spawn(
            ProcessSpec(
                program: "magsd", programDescriptor: try FileDescriptor.open("/proc/self/exe", O_RDONLY),
                arguments: ["magsd", "resolver"], environment: [],
                descriptors: [1: log, 2: log, 3: sockets.udp, 4: sockets.tcp, 5: life.read],
                uid: instance.uidBase + 2, gid: instance.uidBase + 2, noNewPrivileges: true, directory: "/"))
    }

    /// Its end closes with this process, however that ends, and the resolver follows.
    private var lifeLine: FileDescriptor?

    func stop() async {
        keeper?.cancel()
        child?.signal(SIGTERM)
        await keeper?.value
    }
}

struct ResolverCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resolver", abstract: "The machines' name resolver.", shouldDisplay: false)

    func run() throws {
        OpenFiles.raiseLimit()
        try Confinement.begin()
        ResolverServer.run(udp: 3, tcp: 4, life: 5)
    }
}
