import FoundationEssentials
import Glibc
import HostSystem
import Testing

@testable import Machines

extension EngineTests {
    @Test("makes a template for another size, builds a damaged one anew, and finds a whole one again")
    func buildsTemplates() async throws {
        // A cache of its own: the same kernel and images, no templates.
        let cache = "/tmp/mags-cache-\(String(UInt32.random(in: 0 ... .max), radix: 16))"
        try MachineFiles.makeFolder(cache)
        defer { MachineFiles.remove(cache) }
        for name in ["boot", "images"] {
            try FileManager.default.createSymbolicLink(
                atPath: cache + "/" + name, withDestinationPath: EngineFixture.cache + "/" + name)
        }
        // The usual size's template is made once for all tests: here, if none did before.
        try await EngineFixture.with(pool: 0) { _ in }
        // That one alone: among many, a new one might push it out.
        let newest = try #require(newestTemplate())
        try MachineFiles.makeFolder(cache + "/templates")
        try FileManager.default.copyItem(
            atPath: EngineFixture.cache + "/templates/" + newest, toPath: cache + "/templates/" + newest)
        let request = ClaimRequest(memoryMebibytes: 200, processors: 2)
        let templates = cache + "/templates"
        let before = Set(MachineFiles.names(in: templates))
        func sees(_ fixture: EngineFixture) async throws {
            let (run, machine) = try await ScriptRun.claim(
                "nproc; free -m | awk '/Mem/ {print $2}'", from: fixture.engine, request)
            await machine.discard()
            let lines = run.output.split(separator: "\n").compactMap { Int($0) }
            #expect(lines.first == 2)
            #expect(lines.last.map { (150...256).contains($0) } == true)
        }
        func added() throws -> (name: String, made: Int) {
            let names = Set(MachineFiles.names(in: templates)).subtracting(before).filter { !$0.contains(".") }
            let name = try #require(names.count == 1 ? names.first : nil)
            var status = stat()
            try #require(stat("\(templates)/\(name)/ram", &status) == 0)
            return (name, Int(status.st_ino))
        }

        try await EngineFixture.with(pool: 0, cache: cache, sees)
        let first = try added()
        try await EngineFixture.with(pool: 0, cache: cache, sees)
        #expect(try added() == first)

        let state = try FileDescriptor.open("\(templates)/\(first.name)/state", O_RDWR)
        var byte: UInt8 = 0
        try #require(pread(state.rawValue, &byte, 1, 5000) == 1)
        byte ^= 1
        try #require(pwrite(state.rawValue, &byte, 1, 5000) == 1)
        try await EngineFixture.with(pool: 0, cache: cache, sees)
        let second = try added()
        #expect(second.name == first.name)
        #expect(second.made != first.made)
    }

    private func newestTemplate() -> String? {
        let folder = EngineFixture.cache + "/templates"
        return MachineFiles.names(in: folder).filter { !$0.contains(".") }.max { used($0) < used($1) }
        func used(_ name: String) -> Int {
            var status = stat()
            return stat("\(folder)/\(name)/template.json", &status) == 0 ? status.st_mtim.tv_sec : 0
        }
    }

    @Test("says what is missing when there is no kernel or no image")
    func saysWhatIsMissing() async throws {
        let error = await #expect(throws: MachineError.self) {
            try await EngineFixture.with(pool: 0, cache: "/tmp/mags-no-cache") { _ in }
        }
        #expect(error?.hint?.contains("script/up") == true)
        try await EngineFixture.with(pool: 0) { fixture in
            let error = await #expect(throws: MachineError.self) {
                try await fixture.engine.claim(ClaimRequest(image: "no-such-image"))
            }
            #expect(error?.code == "image_unknown")
        }
    }
}
