import MagsModel
import Synchronization
import Testing

@testable import HostSystem

@Suite("A diagnosis for many")
struct SharedDiagnosisTests {
    @Test("is one look for all who ask during it and a second after it, then another")
    func shares() async {
        let looks = Mutex(0)
        let moment = Mutex(ContinuousClock.now)
        let diagnosis = SharedDiagnosis {
            moment.withLock { $0 }
        } look: {
            let number = looks.withLock { looks in
                looks += 1
                return looks
            }
            await Task.yield()
            return [Finding(.good, "look", "\(number)")]
        }
        let texts = await withTaskGroup(of: String?.self) { group in
            for _ in 0..<200 { group.addTask { await diagnosis.findings().first?.text } }
            return await group.reduce(into: Set<String?>()) { $0.insert($1) }
        }
        #expect(texts == ["1"])
        moment.withLock { $0 += .milliseconds(900) }
        #expect(await diagnosis.findings().first?.text == "1")
        moment.withLock { $0 += .milliseconds(200) }
        #expect(await diagnosis.findings().first?.text == "2")
    }
}
