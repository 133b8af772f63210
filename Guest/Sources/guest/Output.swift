import CGuest
import GuestWire

/// One of the two output streams of an exec: from its pipe into frames, as far as the host's credit and the room for
/// unacknowledged bytes reach.
final class Output {
    private let kind: FrameKind
    private let stream: UInt16
    private let descriptor: Int32
    private let loop: EventLoop
    private let link: HostLink
    private let buffer: ReadBuffer
    /// The position that the host lets it reach.
    private var reach: UInt64
    private var isWatched = false
    /// What may still be read once the first process has ended; nil before.
    private var leftover: Int?
    private(set) var isClosed = false
    private(set) var count: UInt64 = 0
    var onFirstBytes: () -> Void = {}
    var onClose: () -> Void = {}

    init(
        _ kind: FrameKind, stream: UInt16, descriptor: Int32, credit: UInt32, loop: EventLoop, link: HostLink,
        buffer: ReadBuffer
    ) {
        self.kind = kind
        self.stream = stream
        self.descriptor = descriptor
        reach = UInt64(credit)
        self.loop = loop
        self.link = link
        self.buffer = buffer
        _ = guest_set_nonblocking(descriptor)
        watch()
    }

    /// Never less than before.
    func allow(upTo position: UInt64) {
        reach = max(reach, position)
        watch()
    }

    /// Takes up reading again after room was short.
    func watch() {
        guard !isClosed, !isWatched, allowance > 0 else { return }
        isWatched = true
        loop.watch(descriptor, guest_readable) { _ in self.readSome() }
    }

    /// What is in the pipe now is still sent, what a process in the background writes later is not.
    func endSoon() {
        guard !isClosed else { return }
        leftover = Int(guest_pipe_fill(descriptor))
        if leftover == 0 { finish() }
    }

    private var allowance: Int {
        let room = min(reach - count, UInt64(min(link.outputRoom, Frame.maximumPayload)))
        return min(Int(room), leftover ?? Int.max)
    }

    private func readSome() {
        let limit = allowance
        guard limit > 0 else {
            loop.forget(descriptor)
            isWatched = false
            return
        }
        let taken = read(descriptor, buffer.bytes.baseAddress, limit)
        if taken > 0 {
            link.send(kind, stream: stream, payload: UnsafeRawBufferPointer(rebasing: buffer.bytes[..<taken]))
        }
        guard taken > 0 else {
            if taken == 0 || guest_errno() != EAGAIN && guest_errno() != EINTR { finish() }
            return
        }
        if count == 0 { onFirstBytes() }
        count += UInt64(taken)
        if let rest = leftover {
            leftover = rest - taken
            if rest <= taken { finish() }
        }
    }

    private func finish() {
        guard !isClosed else { return }
        isClosed = true
        loop.forget(descriptor)
        close(descriptor)
        onClose()
    }
}

/// Where bytes stand between a pipe and their frame: one for all streams, since each is emptied before the next is read.
final class ReadBuffer {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: Frame.maximumPayload, alignment: 16)
    deinit { bytes.deallocate() }
}
