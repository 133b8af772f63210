package import ControlPlane
import Foundation
import Hummingbird
import HummingbirdCore
package import Logging
import MagsModel
package import NIOCore
import ServiceLifecycle
import UnixSignals

/// The API over HTTP on a loopback port, a Unix socket, or both.
package struct APIServer: Sendable {
    package struct Configuration: Sendable {
        package var host: String
        /// 0 takes a free one; nil listens on no port.
        package var port: Int?
        package var unixSocketPath: String?
        package var maximumConnections = 4096
        /// A connection without a request is closed after this long.
        package var idleSeconds = 60
        package var heartbeat = Duration.seconds(15)
        /// How long after its time is up a command's end is waited for.
        package var execPatience = Duration.seconds(30)
        /// Of all the bodies together that are held in memory.
        package var maximumBodyBytes = 64 << 20
        /// Of one list of log entries: a job's log may hold tens of millions of short lines.
        package var maximumLogEntries = 100_000
        /// Whether SIGTERM and SIGINT end `run` gracefully; else only cancellation does.
        package var endsOnSignals = true

        package init(host: String = "127.0.0.1", port: Int? = nil, unixSocketPath: String? = nil) {
            self.host = host
            self.port = port
            self.unixSocketPath = unixSocketPath
        }
    }

    private let configuration: Configuration
    private let control: ControlPlane
    private let group: any EventLoopGroup
    private let logger: Logger
    private let pace: ConnectionRules.Pace
    private let rules: Call.Rules
    private let onListening: @Sendable (Int?) async -> Void

    /// - Parameter onListening: called for each address once it listens, with its port if it has one.
    package init(
        configuration: Configuration, control: ControlPlane, group: any EventLoopGroup, logger: Logger,
        onListening: @escaping @Sendable (Int?) async -> Void = { _ in }
    ) {
        self.init(
            configuration: configuration, control: control, group: group, logger: logger,
            pace: ConnectionRules.Pace(), onListening: onListening)
    }

    init(
        configuration: Configuration, control: ControlPlane, group: any EventLoopGroup, logger: Logger,
        pace: ConnectionRules.Pace, onListening: @escaping @Sendable (Int?) async -> Void
    ) {
        self.configuration = configuration
        self.control = control
        self.group = group
        self.logger = logger
        self.pace = pace
        rules = Call.Rules(
            heartbeat: configuration.heartbeat, bodies: BodyBudget(maximumBytes: configuration.maximumBodyBytes),
            maximumLogEntries: configuration.maximumLogEntries, execPatience: configuration.execPatience)
        self.onListening = onListening
    }

    /// Serves until it is cancelled or shut down gracefully; then requests under way are finished first, and streams
    /// end at once and can be taken up again. `ControlPlane.run` goes beside it.
    package func run() async throws {
        var services: [any Service] = []
        if let port = configuration.port {
            services.append(application(.hostname(configuration.host, port: port), socket: nil))
        }
        if let path = configuration.unixSocketPath {
            services.append(application(.unixDomainSocket(path: path), socket: path))
        }
        // The last service is stopped first: streams must end before the servers wait for them.
        services.append(StreamEnder(control: control))
        let running = ServiceGroup(
            configuration: .init(
                services: services, gracefulShutdownSignals: configuration.endsOnSignals ? [.sigterm, .sigint] : [],
                logger: logger))
        try await running.run()
    }

    private func application(_ address: BindAddress, socket: String?) -> some Service {
        let pace = pace
        let channel = HTTP1Channel.Configuration(
            additionalChannelHandlers: [ConnectionRules(pace: pace)],
            idleTimeout: .seconds(Int64(configuration.idleSeconds)),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: Limits.headerFieldBytes, maxHeaderListSize: Limits.headerBytes,
                maxHeaderFieldCount: 256))
        let onListening = onListening
        return Application(
            responder: APIResponder(controlPlane: control, rules: rules),
            server: .http1(configuration: channel),
            configuration: ApplicationConfiguration(
                address: address, serverName: "mags",
                availableConnectionsDelegate: .maximum(configuration.maximumConnections, logger: logger)),
            onServerRunning: { channel in
                if let socket { chmod(socket, 0o660) }
                await onListening(channel.localAddress?.port)
            },
            eventLoopGroupProvider: .shared(group), logger: logger)
    }
}

private struct StreamEnder: Service {
    let control: ControlPlane

    func run() async throws {
        try? await gracefulShutdown()
        control.close()
    }
}
