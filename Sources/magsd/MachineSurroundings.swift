import Foundation
import HostSystem
import Logging
import MagsModel

/// What all machines of this server share on the host: the bridge and its rules, and the resolver. Nothing of it without
/// root.
struct MachineSurroundings: Sendable {
    let network: HostNetwork?
    /// Of the network that was made.
    private let made: Finding
    private let resolver: ResolverProcess?

    /// A network that cannot be made leaves the machines without one; `doctor` says so.
    static func prepare(instance: Instance, logger: Logger) async -> MachineSurroundings {
        let network = HostNetwork(instance: instance, logger: logger)
        var obstacle = HostNetwork.obstacle()
        if obstacle == nil {
            do throws(HostError) {
                try await network.prepareGuarded()
            } catch {
                obstacle = error
                // Half a network is nobody's.
                await network.remove()
            }
        }
        let finding = Diagnosis.network(obstacle)
        if let obstacle {
            logger.warning("no network for machines", metadata: ["why": "\(obstacle)"])
            return MachineSurroundings(network: nil, made: finding, resolver: nil)
        }
        let resolver = ResolverProcess(instance: instance, network: network, logger: logger)
        await resolver.start()
        return MachineSurroundings(network: network, made: finding, resolver: resolver)
    }

    /// What an earlier host role may have left of them: only to be removed.
    static func leftBehind(instance: Instance, logger: Logger) -> MachineSurroundings {
        let obstacle = HostNetwork.obstacle()
        return MachineSurroundings(
            network: obstacle == nil ? HostNetwork(instance: instance, logger: logger) : nil,
            made: Diagnosis.network(obstacle), resolver: nil)
    }

    /// Of the network that there really is.
    func finding() async -> Finding { await network?.ruleFinding() ?? made }

    /// Once no machine is left.
    func remove() async {
        await resolver?.stop()
        await network?.remove()
    }
}
