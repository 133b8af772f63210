import CHost
import Testing

@Suite("A confined process")
struct ConfinementTests {
    @Test("cannot run a program")
    func runsNoProgram() { #expect(chost_confined_exec("/bin/true") == 0) }
}
