import GuestWire
import Testing

@Suite("A resume")
struct ResumeTests {
    private let key = [UInt8](100..<116)
    private let nonce = [UInt8](200..<216)

    @Test("is found at the start of a chunk, with more behind it or not")
    func found() {
        let resume = Resume(key: key, nonce: nonce, received: 0x0102_0304_0506_0708)
        #expect(resume.encode().count == Resume.size)
        #expect(read(resume.encode()) == resume)
        #expect(read(resume.encode() + [1, 2, 3]) == resume)
    }

    @Test("is not found elsewhere, cut, or with another key or mark")
    func notFound() {
        let bytes = Resume(key: key, nonce: nonce, received: 5).encode()
        #expect(read([0] + bytes) == nil)
        for count in 0..<bytes.count { #expect(read(Array(bytes[..<count])) == nil) }
        for index in 0..<24 {
            var changed = bytes
            changed[index] ^= 1
            #expect(read(changed) == nil)
        }
    }

    @Test("is answered with mark, nonce and position")
    func answer() {
        let answer = Resume(key: key, nonce: nonce, received: 5).answer(position: 258)
        #expect(answer.count == Resume.answerSize)
        #expect(Array(answer[8..<24]) == nonce)
        #expect(Array(answer[24...]) == [2, 1, 0, 0, 0, 0, 0, 0])
        #expect(Array(answer[..<8]) == Array(Resume(key: key, nonce: nonce, received: 5).encode()[..<8]))
    }

    private func read(_ bytes: [UInt8]) -> Resume? { bytes.withUnsafeBytes { Resume(startOf: $0, key: key) } }
}
