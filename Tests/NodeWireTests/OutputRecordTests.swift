import Testing

@testable import NodeWire

@Suite("Output records")
struct OutputRecordTests {
    private func records() -> [OutputRecord] {
        (0..<20).map { index in
            OutputRecord(
                stream: OutputRecord.Stream.allCases[index % 3], time: UInt64(index) << 40,
                position: UInt64(index) * 1000,
                bytes: (0..<(index * 7)).map { UInt8(truncatingIfNeeded: $0) })
        }
    }

    @Test("come out as they went in, however the bytes are cut", arguments: [1, 2, 3, 23, 24, 25, 100, 10_000])
    func roundTrip(piece: Int) throws {
        var bytes: [UInt8] = []
        for record in records() { record.encode(into: &bytes) }
        var decoder = OutputRecordDecoder()
        var decoded: [OutputRecord] = []
        for start in stride(from: 0, to: bytes.count, by: piece) {
            decoder.append(bytes[start..<min(start + piece, bytes.count)])
            while let record = try decoder.next() { decoded.append(record) }
        }
        #expect(decoded == records())
    }

    @Test("with an unknown stream or an absurd length are damage")
    func damage() {
        for header in [
            [UInt8](repeating: 9, count: 24), [1, 0, 0, 0, 255, 255, 255, 255] + [UInt8](repeating: 0, count: 16),
        ] {
            var decoder = OutputRecordDecoder()
            decoder.append(header)
            #expect(throws: OutputRecordDecoder.Damage.self) { _ = try decoder.next() }
        }
    }
}
