import ArgumentParser
import Edge
import HostSystem
import Logging
import NIOPosix

/// The edge role: users' traffic from strangers, without any privilege.
struct EdgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edge", abstract: "The edge role.", shouldDisplay: false)

    @OptionGroup var home: Home
    @Option var port: Int
    @Option var address: String = "127.0.0.1"

    func run() async throws {
        let logger = LogSetup.start(role: "edge")
        let termination = Termination.begin()
        LifeLine.hold()
        OpenFiles.raiseLimit()
        try Confinement.begin()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try await EdgeServer.bind(host: address, port: port, group: group, logger: logger)
        try await termination.run {
            try await server.run()
        } stop: {
            await server.close()
        }
    }
}
