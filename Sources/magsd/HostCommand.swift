import ArgumentParser
import Foundation
import HostAgent
import HostSystem
import Logging
import NodeWire

/// The host role: the machines. The only one that may be root; of all that comes from outside it parses the guest wire
/// alone.
struct HostCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "host", abstract: "The host role.", shouldDisplay: false)

    @OptionGroup var home: Home
    @Option var instance: String
    @Option var pool: Int?
    @Flag(help: "Remove what an earlier one left on this host, and end.") var reap = false

    func run() async throws {
        let logger = LogSetup.start(role: "host")
        let termination = Termination.begin()
        LifeLine.hold()
        OpenFiles.raiseLimit()
        // The one that ran before may still be ending.
        let lock = try await HomeLock.waited(home.run + "/host.lock")
        defer { lock.release() }
        let instance = try Instance.decoded(instance)
        let surroundings =
            reap || termination.isRequested
            ? .leftBehind(instance: instance, logger: logger)
            : await MachineSurroundings.prepare(instance: instance, logger: logger)
        let role = HostRole(
            home: home, instance: instance, pool: pool, surroundings: surroundings, logger: logger)
        if reap { return await role.end() }
        let listener: NodeListener
        do {
            listener = try await termination.interrupting { try await role.start() }
        } catch {
            // Of what failed by itself the next one makes use; of what was to end nothing may stay.
            guard termination.isRequested else { throw error }
            return await role.end()
        }
        try await termination.run {
            await role.agent.serve(listener)
        } stop: {
            await role.end()
            await listener.close()
        }
    }
}
