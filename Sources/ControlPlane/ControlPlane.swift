import Foundation
package import Logging
package import MagsModel
package import NIOCore
package import NodeWire
package import Store

/// Decides what runs: the services over one store and one node. Knows no transport; touches no machine.
///
/// The owner of the node's connection tells it of the connection and of all that comes over it, in order.
package final class ControlPlane: Sendable {
    package struct Configuration: Sendable {
        /// The folder of the control plane's own files (`MAGS_HOME/api`): uploads and the seal's key.
        package var folder: String
        package var hostMemoryMebibytes: Int
        /// Whether `type: url` may fetch from private networks.
        package var fetchesPrivateAddresses = false
        package var maximumReaders = 1000
        package var maximumUploadBytes = Limits.uploadBytes
        /// How much room the disk has for uploads and jobs.
        package var diskGauge = DiskRoom.system

        package init(folder: String, hostMemoryMebibytes: Int = Configuration.memoryOfThisHost) {
            self.folder = folder
            self.hostMemoryMebibytes = hostMemoryMebibytes
        }

        package static var memoryOfThisHost: Int { Int(ProcessInfo.processInfo.physicalMemory >> 20) }
    }

    package let jobs: JobService
    package let execs: ExecService
    package let tokens: TokenService
    package let files: FileService

    private enum Event: Sendable {
        case connectionOpened
        case connectionLost
        case report(Report)
    }

    private let store: any Store
    private let node: any Node
    private let readers: OutputReaders
    private let questions: NodeQuestions
    private let clock: WallClock
    private let logger: Logger
    private let events: AsyncStream<Event>
    private let eventInput: AsyncStream<Event>.Continuation

    package init(
        configuration: Configuration, store: any Store, node: any Node, clock: WallClock = .system, logger: Logger
    ) async throws {
        self.store = store
        self.node = node
        self.clock = clock
        self.logger = logger
        (events, eventInput) = AsyncStream.makeStream()
        questions = NodeQuestions(node: node, clock: clock)
        readers = OutputReaders(
            node: node, questions: questions, maximum: configuration.maximumReaders, clock: clock)
        tokens = TokenService(store: store, clock: clock)
        files = try FileService(
            store: store, folder: "\(configuration.folder)/uploads", clock: clock,
            maximumBytes: configuration.maximumUploadBytes, gauge: configuration.diskGauge)
        // Here, so that a server that cannot read its key does not begin to serve.
        let seal = try await Seal(keyFile: "\(configuration.folder)/seal.key") {
            try await store.hasSealedEnvironments()
        }
        let room = DiskRoom(folder: configuration.folder, gauge: configuration.diskGauge)
        execs = ExecService(store: store, node: node, seal: seal, readers: readers, room: room, clock: clock)
        jobs = JobService(
            store: store, execs: execs, node: node,
            rules: SubmissionRules(hostMemoryMebibytes: configuration.hostMemoryMebibytes),
            seal: seal, files: files,
            scripts: ScriptSource(allowsPrivateAddresses: configuration.fetchesPrivateAddresses, clock: clock),
            readers: readers, room: room, clock: clock, logger: logger)
    }

    /// Reads what an earlier process left. Before anybody asks for anything.
    package func load() async throws { try await jobs.load() }

    /// Works until it is cancelled: takes the node's reports, and once an hour removes what is too old.
    package func run() async throws {
        try await load()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.takeEvents() }
            group.addTask { try await self.jobs.repeatAfterFailures() }
            group.addTask { try await self.sweepForever() }
            group.addTask { try await self.sweepExecsForever() }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// A connection to the node stands: what is sent from now on arrives there.
    package func connectionOpened() { eventInput.yield(.connectionOpened) }

    package func connectionLost() { eventInput.yield(.connectionLost) }

    /// What the node reports. Returns at once.
    package func receive(_ report: Report) {
        switch report {
        case .outputEnd(let reader): readers.reader(reader)?.finish(.end)
        case .outputUnknown(let reader): readers.reader(reader)?.finish(.unknown)
        case .outputUnreadable(let reader): readers.reader(reader)?.fail(.outputUnreadable)
        case .outputSkipped(let reader, let offset, let stdout, let stderr):
            readers.reader(reader)?.skip(to: offset, stdout: stdout, stderr: stderr)
        case .pool(let request, _), .diagnosis(let request, _): questions.answer(request, report)
        default: eventInput.yield(.report(report))
        }
    }

    /// Output for one reader. Returns at once.
    package func receive(records: ByteBuffer, offset: UInt64, reader: UInt32) {
        readers.reader(reader)?.deliver(records, offset: offset)
    }

    package var isConnected: Bool { readers.isConnected }

    package func pool() async throws -> PoolStatus {
        guard case .pool(_, let status) = try await questions.ask(within: .seconds(5), { .pool(request: $0) }) else {
            throw Problem.nodeUnavailable
        }
        return status
    }

    /// What the server and the node found about themselves.
    package func diagnose() async -> [Finding] {
        do {
            guard
                case .diagnosis(_, let findings) = try await questions.ask(
                    within: .seconds(30), { .diagnose(request: $0) })
            else { throw Problem.nodeUnavailable }
            return [Finding(.good, "node", "The host that runs the machines answers.")] + findings
        } catch {
            return [
                Finding(
                    .bad, "node", "The host that runs the machines does not answer.",
                    remedy: "Look at the host role's log; start the server again with script/up.")
            ]
        }
    }

    /// Ends all readers, so that the server in front can stop.
    package func close() { readers.closeAll() }

    private func takeEvents() async {
        for await event in events {
            switch event {
            case .connectionOpened:
                await jobs.reconcile()
                await readers.connectionOpened()
            case .connectionLost:
                readers.connectionLost()
                questions.connectionLost()
            case .report(let report): await jobs.take(report)
            }
        }
    }

    private var retention: Retention {
        Retention(store: store, files: files, node: node, questions: questions, clock: clock)
    }

    private func sweepExecsForever() async throws {
        while true {
            try await clock.sleep(.seconds(300))
            do { try await retention.sweepExecs(isConnected) } catch {
                logger.error("old execs could not be removed", metadata: ["error": "\(error)"])
            }
        }
    }

    private func sweepForever() async throws {
        do { try await files.removeOrphans() } catch {
            logger.error("orphaned uploads could not be removed", metadata: ["error": "\(error)"])
        }
        while true {
            do { try await retention.sweep(isConnected) } catch {
                logger.error("old jobs and uploads could not be removed", metadata: ["error": "\(error)"])
            }
            try await clock.sleep(.seconds(3600))
            await readers.endStalled()
        }
    }
}
