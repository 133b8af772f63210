import CGuest
import GuestWire

/// The port to the host. Everything sent is kept until the host acknowledges it, so that a host that ends at any byte
/// and another that takes over lose nothing. Frames go out at `flush`, once a turn of the loop: each write to the port
/// stops the machine's processor until QEMU has taken it.
final class HostLink {
    /// Room that output leaves for what must never wait: replies, ends of execs, credit.
    private static let reserve = 96 * 1024
    private static let outputCapacity = 256 * 1024

    private let descriptor: Int32
    private var kept = KeptOutput(capacity: HostLink.outputCapacity + HostLink.reserve)
    private var decoder = FrameDecoder(acceptsFromGuest: false)
    private var buffer = [UInt8](repeating: 0, count: 32 * 1024)
    /// The rest of an answer to `Resume`, which goes before any frame.
    private var answer: [UInt8] = []
    /// A stream that broke the rules is of no use until the next `Resume`.
    private var isBroken = false

    var key = Resume.unclaimedKey
    var onFrame: (Frame) -> Void = { _ in }
    /// Output may be sent again after it had to wait.
    var onRoom: () -> Void = {}

    init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// How many bytes of a program's output may be sent now, its frame's header not counted.
    var outputRoom: Int { max(0, kept.freeCount - HostLink.reserve - Frame.headerSize) }

    func send(_ frame: Frame) { frame.payload.withUnsafeBytes { send(frame.kind, stream: frame.stream, payload: $0) } }

    func send(_ kind: FrameKind, stream: UInt16, payload: UnsafeRawBufferPointer) {
        guard kept.append(kind, stream: stream, payload: payload) else {
            // The host asked for more replies than it ever read: whatever it is, it is no host of ours.
            guest_say("the host does not read")
            guest_power_off()
            return
        }
    }

    /// The port is watched on its edges: a host that goes away is reported once, not for as long as it is away.
    func handle() {
        while true {
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, guest_errno() == EINTR { continue }
            if count == 0 {
                // No host: half a frame that it left will never be finished.
                decoder.reset()
                isBroken = false
            }
            guard count > 0 else { break }
            buffer.withUnsafeBytes { take(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
    }

    func acknowledge(_ position: UInt64) {
        kept.acknowledge(position)
        if outputRoom > 0 { onRoom() }
    }

    /// As if the host had sent it.
    func feed(_ frame: Frame) {
        var bytes: [UInt8] = []
        frame.encode(into: &bytes)
        bytes.withUnsafeBytes { take($0) }
    }

    /// Nobody keeps what this link sends.
    func forgetSent() {
        flush()
        kept.acknowledge(kept.end)
    }

    private func take(_ chunk: UnsafeRawBufferPointer) {
        var rest = chunk
        // One behind the other: a host that asked again before this program was there to answer.
        while let resume = Resume(startOf: rest, key: key) {
            decoder.reset()
            isBroken = false
            answer = resume.answer(position: kept.resend(from: resume.received))
            kept.acknowledge(resume.received)
            rest = UnsafeRawBufferPointer(rebasing: rest[Resume.size...])
        }
        if rest.count < chunk.count { onRoom() }
        guard !isBroken else { return }
        decoder.append(rest)
        do throws(WireError) {
            while let frame = try decoder.next() { onFrame(frame) }
        } catch {
            guest_say("the host sent what is no frame")
            decoder.reset()
            isBroken = true
        }
    }

    /// Writes as much as the port takes; the rest goes when the port says that it has room.
    func flush() {
        while !answer.isEmpty {
            let count = answer.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            answer.removeFirst(count)
        }
        while kept.hasUnsent {
            let count = kept.sendPiece { write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
        }
    }
}
