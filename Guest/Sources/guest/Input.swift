import CGuest
import GuestWire

/// The standard input of an exec. The host sends within the credit it was given, so what waits here is bounded.
final class Input {
    static let window = 64 * 1024

    private let descriptor: Int32
    private let loop: EventLoop
    private let give: (UInt32) -> Void
    private var pending: [UInt8] = []
    private var endsAfterPending = false
    private var isClosed = false

    /// - Parameter give: grants the host credit for bytes that the process has taken.
    init(descriptor: Int32, loop: EventLoop, give: @escaping (UInt32) -> Void) {
        self.descriptor = descriptor
        self.loop = loop
        self.give = give
        _ = guest_set_nonblocking(descriptor)
        give(UInt32(Input.window))
    }

    func take(_ bytes: [UInt8]) {
        guard !isClosed, !endsAfterPending, pending.count + bytes.count <= Input.window else { return }
        let wasEmpty = pending.isEmpty
        pending.append(contentsOf: bytes)
        if wasEmpty, !pending.isEmpty { loop.watch(descriptor, guest_writable) { _ in self.push() } }
    }

    func end() {
        endsAfterPending = true
        if pending.isEmpty { finish() }
    }

    func finish() {
        guard !isClosed else { return }
        isClosed = true
        pending = []
        loop.forget(descriptor)
        close(descriptor)
    }

    private func push() {
        let count = pending.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard count > 0 else {
            // Nobody reads any more: what the host still sends is dropped.
            if guest_errno() != EAGAIN, guest_errno() != EINTR { finish() }
            return
        }
        pending.removeFirst(count)
        give(UInt32(count))
        guard pending.isEmpty else { return }
        loop.forget(descriptor)
        if endsAfterPending { finish() }
    }
}
