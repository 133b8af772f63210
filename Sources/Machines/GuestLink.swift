import GuestWire
import NIOCore
import NIOPosix

/// A connection to the guest of one QEMU over the wire's Unix socket.
final class GuestLink: Sendable {
    let eventLoop: any EventLoop
    /// Succeeds when the guest has answered; frames may be sent from then on.
    let resumed: EventLoopFuture<Void>
    private let channel: any Channel
    private let handler: NIOLoopBound<GuestHandler>
    private let receivedCount: Counter

    private init(
        channel: any Channel, resumed: EventLoopFuture<Void>, handler: NIOLoopBound<GuestHandler>, received: Counter
    ) {
        eventLoop = channel.eventLoop
        self.channel = channel
        self.resumed = resumed
        self.handler = handler
        receivedCount = received
    }

    /// Connects and sends the resume. The guest may still be starting: the bytes wait for it.
    ///
    /// - Parameter received: where the guest goes on from: bytes of its frames that were processed before.
    static func connect(
        path: String, on eventLoop: any EventLoop, key: [UInt8], received: UInt64
    ) async throws(MachineError) -> GuestLink {
        let resume = Resume(key: key, nonce: randomBytes(16), received: received)
        do {
            return try await ClientBootstrap(group: eventLoop)
                .connect(unixDomainSocketPath: path) { channel in
                    channel.eventLoop.makeCompletedFuture { try add(resume, to: channel) }
                }
        } catch {
            throw MachineError("wire_failed", "The wire at \(path) cannot be reached: \(error).")
        }
    }

    /// The same over a socket that is connected already.
    static func adopt(
        socket: CInt, on eventLoop: any EventLoop, key: [UInt8], received: UInt64
    ) async throws -> GuestLink {
        let resume = Resume(key: key, nonce: randomBytes(16), received: received)
        return try await ClientBootstrap(group: eventLoop)
            .withConnectedSocket(socket) { channel in
                channel.eventLoop.makeCompletedFuture { try add(resume, to: channel) }
            }
    }

    private static func add(_ resume: Resume, to channel: any Channel) throws -> GuestLink {
        let resumed = channel.eventLoop.makePromise(of: Void.self)
        let received = Counter(resume.received)
        let handler = GuestHandler(resume: resume, resumed: resumed, received: received)
        try channel.pipeline.syncOperations.addHandler(handler)
        let link = GuestLink(
            channel: channel, resumed: resumed.futureResult,
            handler: NIOLoopBound(handler, eventLoop: channel.eventLoop), received: received)
        channel.eventLoop.execute { link.handler.value.write(resume.encode()) }
        return link
    }

    /// Bytes of the guest's frames that were processed.
    var received: UInt64 { receivedCount.value }

    /// Waits for the guest's answer to the resume.
    func waitUntilResumed(within limit: TimeAmount) async throws(GuestLoss) {
        let deadline = eventLoop.scheduleTask(in: limit) { self.handler.value.end(.silent) }
        defer { deadline.cancel() }
        do {
            try await resumed.get()
        } catch {
            throw error as? GuestLoss ?? .ended
        }
    }

    /// Sends frames and waits for the next one from the guest; before `attach` only.
    func ask(_ frames: [Frame], within limit: TimeAmount) async throws(GuestLoss) -> Frame {
        let promise = eventLoop.makePromise(of: Frame.self)
        eventLoop.execute { self.ask(frames, within: limit, promise) }
        return try await GuestLink.value(promise)
    }

    /// On the event loop, so that a caller can put another write beside it.
    func ask(_ frames: [Frame], within limit: TimeAmount, _ promise: EventLoopPromise<Frame>) {
        handler.value.send(frames)
        handler.value.expect(promise, within: limit)
    }

    /// Sends a request of its own number and waits for the reply, before or after `attach`.
    func request(
        within limit: TimeAmount, _ make: @escaping @Sendable (_ request: UInt32) -> Frame
    ) async throws(GuestLoss) -> Reply {
        let promise = eventLoop.makePromise(of: Reply.self)
        eventLoop.execute { self.handler.value.request(make, promise, within: limit) }
        do {
            return try await promise.futureResult.get()
        } catch {
            throw error as? GuestLoss ?? .ended
        }
    }

    static func value(_ promise: EventLoopPromise<Frame>) async throws(GuestLoss) -> Frame {
        do {
            return try await promise.futureResult.get()
        } catch {
            throw error as? GuestLoss ?? .ended
        }
    }

    func attach(_ sink: @escaping @Sendable (GuestEvent) -> Void) { onLoop { $0.attach(sink) } }

    func send(_ frames: [Frame]) { onLoop { $0.send(frames) } }

    func setMute(_ isMute: Bool) { onLoop { $0.setMute(isMute) } }

    func end(_ loss: GuestLoss) { onLoop { $0.end(loss) } }

    var closed: EventLoopFuture<Void> { channel.closeFuture }

    private func onLoop(_ body: @escaping @Sendable (GuestHandler) -> Void) {
        if eventLoop.inEventLoop {
            body(handler.value)
        } else {
            eventLoop.execute { body(self.handler.value) }
        }
    }
}

func randomBytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
}
