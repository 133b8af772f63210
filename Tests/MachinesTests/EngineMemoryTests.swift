import Testing

@testable import Machines

extension EngineTests {
    @Test("a script may use nearly all the memory of its machine")
    func usesItsMemory() async throws {
        try await EngineFixture.with(pool: 0) { fixture in
            let script = "#!/usr/bin/env python3\nheld = [b'x' * (10 << 20) for _ in range(80)]\nprint(len(held))\n"
            let (run, machine) = try await ScriptRun.claim(script, from: fixture.engine)
            #expect(run.output == "80\n")
            await machine.discard()
        }
    }
}
