import Testing

@testable import MagsModel

@Suite("Identifiers")
struct IdentifierTests {
    @Test("of jobs are random version 4 UUIDs")
    func version() throws {
        var seen: Set<JobID> = []
        for _ in 0..<1000 {
            let id = JobID.random()
            let digits = Array(id.text)
            #expect(digits[14] == "4")
            #expect("89ab".contains(digits[19]))
            #expect(JobID(id.text) == id)
            #expect(id.subdomain.count == 12 && !id.subdomain.contains("-"))
            seen.insert(id)
        }
        #expect(seen.count == 1000)
    }

    @Test(
        "of jobs are nothing but UUIDs",
        arguments: [
            "", "x", "0d5b0c52-7a1e-4a53-9a0c-5f6f1c0b6a1", "0d5b0c52-7a1e-4a53-9a0c-5f6f1c0b6a1g",
            "0d5b0c527a1e-4a53-9a0c-5f6f1c0b6a11-",
        ])
    func refused(text: String) { #expect(JobID(text) == nil) }

    @Test("of jobs read upper case as lower")
    func upperCase() {
        #expect(JobID("0D5B0C52-7A1E-4A53-9A0C-5F6F1C0B6A11")?.text == "0d5b0c52-7a1e-4a53-9a0c-5f6f1c0b6a11")
    }
}
