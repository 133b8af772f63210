import ArgumentParser
import ControlPlane
import HTTPServer
import HostSystem
import Logging
import NIOPosix
import StoreSQLite

/// The API role: control plane and HTTP, without any privilege.
struct APICommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "api", abstract: "The API role.", shouldDisplay: false)

    @OptionGroup var home: Home
    @Option var port: Int
    @Option var address: String
    @Flag var privateScriptAddresses = false

    func run() async throws {
        let logger = LogSetup.start(role: "api")
        LifeLine.hold()
        OpenFiles.raiseLimit()
        try Confinement.begin()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let store = try SQLiteStore(path: home.database)
        let node = RemoteNode(path: home.hostSocket, group: group, logger: logger)
        var configuration = ControlPlane.Configuration(folder: home.api)
        configuration.fetchesPrivateAddresses = privateScriptAddresses
        let control = try await ControlPlane(
            configuration: configuration, store: store, node: node, logger: logger)
        try await control.load()
        let server = APIServer(
            configuration: .init(host: address, port: port), control: control, group: group, logger: logger)
        // The server ends on SIGTERM; the other two are this process's and end with it.
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await control.run() }
            tasks.addTask { await node.run(control.take) }
            tasks.addTask { try await server.run() }
            try await tasks.next()
            tasks.cancelAll()
        }
    }
}

extension ControlPlane {
    /// What the node's connection says.
    @Sendable func take(_ event: RemoteNode.Event) async {
        switch event {
        case .opened: connectionOpened()
        case .report(let report): receive(report)
        case .records(let reader, let offset, let bytes): receive(records: bytes, offset: offset, reader: reader)
        case .lost: connectionLost()
        }
    }
}
