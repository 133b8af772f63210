import GuestWire

/// Looks for the guest's answer to a `Resume` in what an earlier connection may have left behind.
struct ResumeScan {
    /// More than the guest and the buffers between may hold of an earlier connection.
    static let maximumStale = 4 << 20

    private let resume: Resume
    private let expected: [UInt8]
    private var tail: [UInt8] = []
    private var dropped = 0

    init(_ resume: Resume) {
        self.resume = resume
        expected = resume.answer(position: resume.received)
    }

    /// - Returns: the bytes behind the answer, or nil while it has not been seen.
    /// - Throws: for an answer from another position, since then bytes are lost, and for endless bytes without one.
    mutating func feed(_ bytes: [UInt8]) throws(GuestLoss) -> [UInt8]? {
        tail += bytes
        // Mark and nonce are looked for; the position behind them is then held against ours.
        let signature = expected.count - 8
        var start = 0
        while start + Resume.answerSize <= tail.count {
            guard let first = tail[start...].firstIndex(of: expected[0]) else {
                start = tail.count
                break
            }
            start = first
            guard start + Resume.answerSize <= tail.count else { break }
            if tail[start..<(start + signature)].elementsEqual(expected[..<signature]) {
                let rest = Array(tail[(start + Resume.answerSize)...])
                guard tail[start..<(start + Resume.answerSize)].elementsEqual(expected) else {
                    throw .nonsense("it goes on from another position than asked")
                }
                tail = []
                return rest
            }
            start += 1
        }
        dropped += start
        tail.removeFirst(start)
        guard dropped <= ResumeScan.maximumStale else { throw .nonsense("it sends without an end, but no answer") }
        return nil
    }
}
