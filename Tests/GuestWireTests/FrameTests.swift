import GuestWire
import Testing

@Suite("A frame decoder")
struct FrameTests {
    @Test(
        "gives back every frame, whatever the pieces that it arrives in",
        arguments: [1, 2, 3, 7, 8, 9, 64, 4096, 40_000])
    func anySplit(size: Int) throws {
        var random = Seeded(UInt64(size))
        let frames = (0..<40).map { _ in Frame.arbitrary(fromGuest: true, using: &random) }
        var bytes: [UInt8] = []
        for frame in frames { frame.encode(into: &bytes) }
        #expect(bytes.count == frames.reduce(0) { $0 + $1.wireSize })
        var decoder = FrameDecoder(acceptsFromGuest: true)
        var decoded: [Frame] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            decoder.append(Array(bytes[start..<min(start + size, bytes.count)]))
            while let frame = try decoder.next() { decoded.append(frame) }
            #expect(decoder.pendingCount < Frame.headerSize + Frame.maximumPayload)
        }
        #expect(decoded == frames)
        #expect(decoder.pendingCount == 0)
    }

    @Test("gives one frame at each single cut of a stream of two")
    func everyCut() throws {
        let frames = [Frame(.stdout, stream: 7, payload: [1, 2, 3]), Frame(.pong, payload: [9])]
        var bytes: [UInt8] = []
        for frame in frames { frame.encode(into: &bytes) }
        for cut in 0...bytes.count {
            var decoder = FrameDecoder(acceptsFromGuest: true)
            var decoded: [Frame] = []
            for part in [bytes[..<cut], bytes[cut...]] {
                decoder.append(Array(part))
                while let frame = try decoder.next() { decoded.append(frame) }
            }
            #expect(decoded == frames)
        }
    }

    @Test("refuses what only the other side may send", arguments: FrameKind.allCases)
    func wrongDirection(kind: FrameKind) throws {
        var bytes: [UInt8] = []
        Frame(kind).encode(into: &bytes)
        var right = FrameDecoder(acceptsFromGuest: kind.isFromGuest)
        right.append(bytes)
        let frame = try right.next()
        #expect(frame == Frame(kind))
        var wrong = FrameDecoder(acceptsFromGuest: !kind.isFromGuest)
        wrong.append(bytes)
        #expect(throws: WireError.wrongDirection(kind)) { try wrong.next() }
    }

    @Test("refuses a length above the limit before any of the payload is there")
    func oversize() {
        var decoder = FrameDecoder(acceptsFromGuest: true)
        decoder.append([FrameKind.stdout.rawValue, 0, 1, 0, 1, 0x80, 0, 0])
        #expect(throws: WireError.oversize(UInt32(Frame.maximumPayload) + 1)) { try decoder.next() }
    }

    @Test("refuses an unknown kind and a reserved byte that is set")
    func unknown() {
        var decoder = FrameDecoder(acceptsFromGuest: true)
        decoder.append([200, 0, 0, 0, 0, 0, 0, 0])
        #expect(throws: WireError.unknownKind(200)) { try decoder.next() }
        decoder.reset()
        decoder.append([FrameKind.pong.rawValue, 1, 0, 0, 0, 0, 0, 0])
        #expect(throws: WireError.reservedNotZero) { try decoder.next() }
    }

    @Test("starts anew after a reset in the middle of a frame")
    func reset() throws {
        var bytes: [UInt8] = []
        Frame(.stdout, stream: 1, payload: [1, 2, 3, 4]).encode(into: &bytes)
        var decoder = FrameDecoder(acceptsFromGuest: true)
        decoder.append(Array(bytes[..<10]))
        let half = try decoder.next()
        #expect(half == nil)
        decoder.reset()
        decoder.append(bytes)
        let whole = try decoder.next()
        #expect(whole?.payload == [1, 2, 3, 4])
    }
}
