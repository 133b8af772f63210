package import NIOCore
import NIOPosix

/// A connection to the monitor of one QEMU, over the Unix socket that QEMU listens on. A monitor talks to one client at
/// a time; a second one waits until the first is gone.
package final class QMPClient: Sendable {
    package let eventLoop: any EventLoop
    /// QEMU's version, once it has greeted.
    package let version: EventLoopFuture<String>
    private let channel: any Channel
    private let handler: NIOLoopBound<QMPHandler>

    private init(channel: any Channel, version: EventLoopFuture<String>, handler: NIOLoopBound<QMPHandler>) {
        self.channel = channel
        self.version = version
        self.handler = handler
        eventLoop = channel.eventLoop
    }

    /// Connects and asks for the capabilities at once. The socket may belong to a QEMU that is still starting: commands
    /// then wait in it.
    ///
    /// - Parameter onEvent: called on the event loop.
    package static func connect(
        path: String, on eventLoop: any EventLoop, onEvent: @escaping @Sendable (QMPEvent) -> Void = { _ in }
    ) async throws(QMPError) -> QMPClient {
        do {
            let client = try await ClientBootstrap(group: eventLoop)
                .connect(unixDomainSocketPath: path) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let greeting = channel.eventLoop.makePromise(of: String.self)
                        let handler = QMPHandler(greeting: greeting, onEvent: onEvent)
                        try channel.pipeline.syncOperations.addHandlers(
                            ByteToMessageHandler(
                                QMPLineDecoder(), maximumBufferSize: 2 * QMPLineDecoder.maximumLine), handler)
                        return QMPClient(
                            channel: channel, version: greeting.futureResult,
                            handler: NIOLoopBound(handler, eventLoop: channel.eventLoop))
                    }
                }
            // A refusal closes nothing of itself; the next command tells.
            eventLoop.execute { client.send([QMPCommand("qmp_capabilities")], within: .seconds(60)) }
            return client
        } catch {
            throw QMPError(.unreachable, "QEMU's monitor at \(path) cannot be reached: \(error).")
        }
    }

    /// Runs one command.
    package func run(
        _ command: QMPCommand, within limit: TimeAmount = .seconds(10)
    ) async throws(QMPError) -> QMPValue {
        let promise = eventLoop.makePromise(of: QMPValue.self)
        eventLoop.execute { self.send([command], within: limit, promises: [promise]) }
        return try await QMPClient.value(promise.futureResult)
    }

    /// Runs commands that go out in one write; they are carried out in order, and a refused one does not stop the rest.
    /// The first error is thrown.
    package func run(_ commands: [QMPCommand], within limit: TimeAmount = .seconds(10)) async throws(QMPError) {
        let promises = commands.map { _ in eventLoop.makePromise(of: QMPValue.self) }
        eventLoop.execute { self.send(commands, within: limit, promises: promises) }
        for promise in promises { _ = try await QMPClient.value(promise.futureResult) }
    }

    /// Runs commands of which the first takes a descriptor (SCM_RIGHTS), in one write as above. The caller keeps, and
    /// closes, its own.
    package func run(
        _ commands: [QMPCommand], passing descriptor: CInt, within limit: TimeAmount = .seconds(10)
    ) async throws(QMPError) {
        let promises = commands.map { _ in eventLoop.makePromise(of: QMPValue.self) }
        eventLoop.execute {
            let lines = zip(commands, promises).flatMap { command, promise in
                self.handler.value.register(command, within: limit, promise) ?? []
            }
            guard !lines.isEmpty else { return }
            do {
                try self.channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: CInt.self) { socket in
                    try sendDescriptor(descriptor, with: lines, over: socket)
                }
            } catch {
                // Whoever waits gets the error with the connection's end.
                self.channel.close(promise: nil)
            }
        }
        for promise in promises { _ = try await QMPClient.value(promise.futureResult) }
    }

    /// The same with one command.
    package func run(
        _ command: QMPCommand, passing descriptor: CInt, within limit: TimeAmount = .seconds(10)
    ) async throws(QMPError) { try await run([command], passing: descriptor, within: limit) }

    /// Writes commands without waiting; on the event loop only, so that a caller can put another write beside it.
    /// The last command's answer is the future's.
    @discardableResult
    package func send(
        _ commands: [QMPCommand], within limit: TimeAmount = .seconds(10)
    ) -> EventLoopFuture<[QMPValue]> {
        let promises = commands.map { _ in eventLoop.makePromise(of: QMPValue.self) }
        send(commands, within: limit, promises: promises)
        return EventLoopFuture.whenAllSucceed(promises.map(\.futureResult), on: eventLoop)
    }

    /// Closes; whoever waits gets an error. QEMU goes on and takes the next client.
    package func close() { channel.close(promise: nil) }

    package var closed: EventLoopFuture<Void> { channel.closeFuture }

    private func send(_ commands: [QMPCommand], within limit: TimeAmount, promises: [EventLoopPromise<QMPValue>]) {
        let handler = handler.value
        var bytes: [UInt8] = []
        for (command, promise) in zip(commands, promises) {
            bytes += handler.register(command, within: limit, promise) ?? []
        }
        handler.write(bytes)
    }

    private static func value(_ future: EventLoopFuture<QMPValue>) async throws(QMPError) -> QMPValue {
        do {
            return try await future.get()
        } catch {
            throw error as? QMPError ?? QMPError(.closed, "\(error)")
        }
    }
}
