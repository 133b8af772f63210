package import Logging
package import NIOCore
package import NodeWire
import Synchronization

/// The node behind its Unix socket. Connects again whenever the connection is lost, for example while the host role is
/// started anew.
package final class RemoteNode: Node {
    package enum Event: Sendable {
        case opened
        case report(Report)
        /// Whole or part records for one reader, and where they stand.
        case records(reader: UInt32, offset: UInt64, ByteBuffer)
        case lost
    }

    private let path: String
    private let group: any EventLoopGroup
    private let logger: Logger
    private let channel = Mutex<NodeChannel?>(nil)

    package init(path: String, group: any EventLoopGroup, logger: Logger) {
        self.path = path
        self.group = group
        self.logger = logger
    }

    package func send(_ assignment: Assignment) async {
        channel.withLock { $0 }?.send(.assignment(assignment))
    }

    /// Keeps the connection and hands over what comes, in order, until cancelled.
    package func run(_ handle: @Sendable (Event) async -> Void) async {
        var delay = Duration.milliseconds(10)
        while !Task.isCancelled {
            do {
                let opened = try await NodeChannel.connect(path: path, group: group)
                delay = .milliseconds(10)
                channel.withLock { $0 = opened }
                await handle(.opened)
                await withTaskCancellationHandler {
                    for await frame in opened.frames {
                        switch frame {
                        case .report(let report): await handle(.report(report))
                        case .records(let reader, let offset, let bytes):
                            await handle(.records(reader: reader, offset: offset, bytes))
                        case .assignment: opened.close()
                        }
                    }
                } onCancel: {
                    opened.close()
                }
                channel.withLock { $0 = nil }
                logger.warning("connection to the node lost")
                await handle(.lost)
            } catch {
                logger.debug("node not reached", metadata: ["error": "\(error)"])
            }
            // The host role needs a moment to start; there is nothing to wait on but the attempt itself.
            try? await Task.sleep(for: delay)
            delay = min(delay * 2, .milliseconds(500))
        }
    }
}
