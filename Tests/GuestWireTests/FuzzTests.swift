import GuestWire
import Testing

/// The other side may be hostile: whatever comes, there is a frame, an error, or a wait for more; never a trap, and
/// never more held than one frame.
@Suite("Bytes of a hostile side")
struct FuzzTests {
    @Test("that are random", arguments: [true, false])
    func random(fromGuest: Bool) {
        var random = Seeded(1)
        for _ in 0..<3000 {
            feed(random.bytes(Int.random(in: 0..<200, using: &random)), fromGuest: fromGuest, pieces: 13)
        }
    }

    @Test("that were frames before some of them were changed", arguments: [true, false])
    func mutated(fromGuest: Bool) {
        var random = Seeded(2)
        let frames = Sample.frames.filter { $0.kind.isFromGuest == fromGuest }
        for _ in 0..<5000 {
            var bytes: [UInt8] = []
            for _ in 0..<3 { frames.randomElement(using: &random)?.encode(into: &bytes) }
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: index)
                default: bytes.insert([0, 1, 127, 128, 255].randomElement(using: &random) ?? 0, at: index)
                }
            }
            feed(bytes, fromGuest: fromGuest, pieces: Int.random(in: 1...64, using: &random))
        }
    }

    @Test("that are a message's payload before some of them were changed", arguments: Sample.frames)
    func payloads(_ frame: Frame) {
        var random = Seeded(3)
        for _ in 0..<2000 {
            var payload = frame.payload
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                payload[Int.random(in: 0..<payload.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            let mutated = Frame(frame.kind, stream: frame.stream, payload: payload)
            // What is still a message says the same when it is written again.
            guard frame.kind == .exec, let exec = try? Exec(mutated) else {
                try? Sample.read(mutated)
                continue
            }
            #expect(exec.frame(stream: frame.stream) == mutated)
        }
    }

    private func feed(_ bytes: [UInt8], fromGuest: Bool, pieces size: Int) {
        var decoder = FrameDecoder(acceptsFromGuest: fromGuest)
        do throws(WireError) {
            for start in stride(from: 0, to: bytes.count, by: size) {
                decoder.append(Array(bytes[start..<min(start + size, bytes.count)]))
                while let frame = try decoder.next() {
                    #expect(frame.kind.isFromGuest == fromGuest && frame.payload.count <= Frame.maximumPayload)
                    try? Sample.read(frame)
                }
                #expect(decoder.pendingCount <= Frame.headerSize + Frame.maximumPayload + size)
            }
        } catch {}
    }
}
