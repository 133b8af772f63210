import GuestWire
import Testing

@Suite("Output that the host has not acknowledged")
struct KeptOutputTests {
    @Test("comes whole to a host that dies again and again", arguments: [UInt64(1), 2, 3, 4, 5])
    func survivesHosts(seed: UInt64) throws {
        var random = Seeded(seed)
        var kept = KeptOutput(capacity: 5000)
        var written: [Frame] = []
        var decoder = FrameDecoder(acceptsFromGuest: true)
        var received: [Frame] = []
        var position: UInt64 = 0
        while received.count < 300 {
            switch Int.random(in: 0..<8, using: &random) {
            case 0...2 where written.count < 300:
                let frame = Frame(.stdout, stream: 1, payload: random.bytes(Int.random(in: 0..<900, using: &random)))
                if kept.append(frame) { written.append(frame) }
            case 3...5:
                let limit = Int.random(in: 1...1500, using: &random)
                _ = kept.sendPiece { bytes in
                    let count = min(limit, bytes.count)
                    decoder.append(Array(bytes[..<count]))
                    return count
                }
                while let frame = try decoder.next() {
                    received.append(frame)
                    position += UInt64(frame.wireSize)
                }
            case 6: kept.acknowledge(position)
            default:
                // The next host has whole frames up to `position` and half a one that it forgets.
                decoder.reset()
                let next = kept.resend(from: position)
                #expect(next == position)
            }
        }
        #expect(received == written)
    }

    @Test("is refused when it does not fit, and changes nothing then")
    func full() {
        var kept = KeptOutput(capacity: 64)
        for (count, fits, free) in [(40, true, 16), (9, false, 16), (8, true, 0)] {
            let isKept = kept.append(Frame(.stdout, payload: [UInt8](repeating: 1, count: count)))
            #expect(isKept == fits)
            #expect(kept.freeCount == free && kept.end == UInt64(64 - free))
        }
    }

    @Test("frees only what was sent and acknowledged")
    func acknowledges() {
        var kept = KeptOutput(capacity: 64)
        _ = kept.append(Frame(.pong, payload: [1, 2]))
        kept.acknowledge(10)
        #expect(kept.freeCount == 54)
        _ = kept.sendPiece { $0.count }
        kept.acknowledge(4)
        #expect(kept.start == 4 && kept.freeCount == 58)
        kept.acknowledge(2)
        kept.acknowledge(11)
        #expect(kept.start == 4)
        kept.acknowledge(10)
        #expect(kept.freeCount == 64)
    }

    @Test("starts where it can when a host asks for what is gone or not there yet")
    func resendOutside() {
        var kept = KeptOutput(capacity: 64)
        _ = kept.append(Frame(.pong, payload: [1, 2]))
        _ = kept.sendPiece { $0.count }
        kept.acknowledge(10)
        _ = kept.append(Frame(.pong))
        let kept10 = kept.resend(from: 3)
        #expect(kept10 == 10)
        let ahead = kept.resend(from: 500)
        #expect(ahead == 18)
    }

    @Test("stays unsent when the port takes nothing")
    func nothingTaken() {
        var kept = KeptOutput(capacity: 64)
        _ = kept.append(Frame(.pong))
        let taken = kept.sendPiece { _ in -1 }
        #expect(taken == -1)
        #expect(kept.hasUnsent && kept.sent == 0)
    }
}
