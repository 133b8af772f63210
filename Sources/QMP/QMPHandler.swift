import Glibc
import NIOCore

/// The state of one connection to a monitor; lives on the connection's event loop.
final class QMPHandler: ChannelInboundHandler {
    typealias InboundIn = QMPMessage
    typealias OutboundOut = ByteBuffer

    private static let hangUp = QMPError(.closed, "QEMU has closed its monitor.")

    private struct Waiter {
        var command: String
        var promise: EventLoopPromise<QMPValue>
        var deadline: Scheduled<Void>
    }

    private let onEvent: @Sendable (QMPEvent) -> Void
    private let greeting: EventLoopPromise<String>
    private var waiters: [Int64: Waiter] = [:]
    private var lastID: Int64 = 0
    private var isGreeted = false
    private var end: QMPError?
    private var context: ChannelHandlerContext?

    init(greeting: EventLoopPromise<String>, onEvent: @escaping @Sendable (QMPEvent) -> Void) {
        self.greeting = greeting
        self.onEvent = onEvent
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        finish(QMPError(.closed, "The connection to QEMU's monitor is closed."))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .greeting(let version):
            isGreeted = true
            greeting.succeed(version)
        case _ where !isGreeted:
            fail(context, QMPError(.protocolViolation, "The other side did not greet as QEMU's monitor does."))
        case .event(let event): onEvent(event)
        case .success(let id, let value):
            guard let waiter = take(id) else { return }
            waiter.promise.succeed(value)
        case .failure(let id, _, let description):
            // Without an id QEMU could not even read the line: no waiter can be told apart, so all are over.
            guard id != nil else {
                return fail(context, QMPError(.protocolViolation, "QEMU could not read a command: \(description)"))
            }
            guard let waiter = take(id) else { return }
            waiter.promise.fail(QMPError(.refused, "QEMU refused \(waiter.command): \(description)"))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(QMPHandler.hangUp)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let error as QMPError: fail(context, error)
        // A QEMU that ends with a command still unread resets the connection instead of closing it.
        case let error as IOError where error.errnoCode == ECONNRESET || error.errnoCode == EPIPE:
            fail(context, QMPHandler.hangUp)
        default: fail(context, QMPError(.closed, "The connection to QEMU's monitor broke: \(error)"))
        }
    }

    /// The line of a command that is waited for from now on, or nil when the waiter has failed already.
    func register(_ command: QMPCommand, within limit: TimeAmount, _ promise: EventLoopPromise<QMPValue>) -> [UInt8]? {
        if let end {
            promise.fail(end)
            return nil
        }
        lastID += 1
        let id = lastID
        do {
            let line = try command.line(id: id)
            let late = QMPError(
                .timedOut, "QEMU did not answer \(command.name) in \(limit.nanoseconds / 1_000_000) ms.")
            let deadline = promise.futureResult.eventLoop.assumeIsolated().scheduleTask(in: limit) {
                // The answer may still come; nobody has its number any more, so it is dropped.
                self.take(id)?.promise.fail(late)
                return
            }
            waiters[id] = Waiter(command: command.name, promise: promise, deadline: deadline)
            return line
        } catch {
            promise.fail(error)
            return nil
        }
    }

    func write(_ bytes: [UInt8]) {
        guard let context, !bytes.isEmpty else { return }
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)), promise: nil)
    }

    @discardableResult
    private func take(_ id: Int64?) -> Waiter? {
        guard let id, let waiter = waiters.removeValue(forKey: id) else { return nil }
        waiter.deadline.cancel()
        return waiter
    }

    private func fail(_ context: ChannelHandlerContext, _ error: QMPError) {
        finish(error)
        context.close(promise: nil)
    }

    private func finish(_ error: QMPError) {
        guard end == nil else { return }
        end = error
        greeting.fail(error)
        let all = waiters
        waiters = [:]
        for waiter in all.values {
            waiter.deadline.cancel()
            waiter.promise.fail(error)
        }
    }
}
