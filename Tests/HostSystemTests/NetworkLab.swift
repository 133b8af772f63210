import Glibc
import Logging
import Testing

@testable import HostSystem

/// A little world in namespaces of its own: a host with an uplink, the world behind it, and guests on real taps. Nothing
/// of it touches the network of the machine that the tests run on, and all of it vanishes with its descriptors.
struct NetworkLab: Sendable {
    static let canRun = HostNetwork.isAvailable

    let host: FileDescriptor
    let world: FileDescriptor
    let network: HostNetwork
    let instance = Instance(
        name: "0badcafe", index: 1, uidBase: 0x3fff_0000, subnet: Network("10.213.0.0/22")?.address ?? 0)

    /// Addresses of the world's, each with a listener on port 80 once `serve` was called.
    static let publicAddress = "203.0.113.10"
    static let privateAddresses = ["10.99.0.1", "192.168.77.1", "172.20.0.1", "169.254.7.7", "100.64.3.3"]

    init(allowed: [Network] = [], connectionLimit: Int? = nil) async throws {
        (host, _) = try await NetworkNamespace.make { () throws(HostError) in }
        (world, _) = try await NetworkNamespace.make { () throws(HostError) in }
        try await HostTool.run(
            "ip", ["-batch", "-"],
            input: """
                link set lo up
                link add out0 type veth peer name in0 netns /proc/self/fd/3
                link set out0 up
                address add 198.51.100.1/24 dev out0
                route add default via 198.51.100.2

                """, in: host, descriptors: [3: world])
        let addresses = ([Self.publicAddress] + Self.privateAddresses).map { "address add \($0)/32 dev lo\n" }.joined()
        try await HostTool.run(
            "ip", ["-batch", "-"],
            input: "link set lo up\nlink set in0 up\naddress add 198.51.100.2/24 dev in0\n" + addresses,
            in: world)
        network = HostNetwork(
            instance: instance, logger: Self.logger, allowed: allowed, connectionLimit: connectionLimit, namespace: host
        )
        try await network.prepare()
    }

    private static var logger: Logger {
        var logger = Logger(label: "lab")
        logger.logLevel = .warning
        return logger
    }

    func rules(_ text: String, in namespace: FileDescriptor) async throws {
        try await HostTool.run("nft", ["-f", "-"], input: text, in: namespace)
    }

    /// Names of the links in a namespace.
    static func links(in namespace: FileDescriptor) async throws -> Set<String> {
        Set(try await NetworkNamespace.perform(in: namespace) { NetworkLinks.names() })
    }
}
