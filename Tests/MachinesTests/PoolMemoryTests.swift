import Testing

@testable import HostSystem
@testable import Machines

@Suite("The pool and the host's memory")
struct PoolMemoryTests {
    private static let standard = MachineKind(image: "standard", size: .standard)
    private static let large = MachineKind(image: "standard", size: MachineSize(memoryMebibytes: 4096, processors: 2))

    private func makePool(resting: Int = 0, promisable: Int) -> PoolState {
        PoolState(
            settings: PoolState.Settings(
                restingSize: resting, burstSize: 4, maximumMachines: 100, reserveMebibytes: 0,
                promisableMebibytes: promisable),
            standard: PoolMemoryTests.standard)
    }

    /// Claims, and carries out what the pool says until nothing more comes of it.
    private func claim(_ kind: MachineKind, _ numbers: ClosedRange<Int>, in pool: inout PoolState) -> [Int] {
        var effects = numbers.flatMap { pool.handle(.claim($0, kind, isAgain: false), at: .zero) }
        return settle(&effects, in: &pool)
    }

    private func settle(_ effects: inout [PoolState.Effect], in pool: inout PoolState) -> [Int] {
        var served: [Int] = []
        while !effects.isEmpty {
            switch effects.removeFirst() {
            case .restore(let clone, _, _): effects += pool.handle(.restored(clone), at: .zero)
            case .warmUp(let clone): effects += pool.handle(.warmed(clone), at: .zero)
            case .hand(_, let claim): served.append(claim)
            default: break
            }
        }
        return served
    }

    @Test("as many machines are in use as what each may take adds up to what may be promised")
    func promises() {
        // 1,280 MiB for each of the usual size.
        var pool = makePool(promisable: 5000)
        #expect(claim(PoolMemoryTests.standard, 1...10, in: &pool) == [1, 2, 3])
        #expect(pool.promisedMebibytes == 3 * 1280)
        var effects = pool.handle(.machineEnded(PoolMemoryTests.standard), at: .zero)
        #expect(settle(&effects, in: &pool) == [4])
    }

    @Test("a large machine counts for what it may take")
    func weighs() {
        var pool = makePool(promisable: 10_000)
        #expect(claim(PoolMemoryTests.large, 1...5, in: &pool) == [1, 2])
        #expect(claim(PoolMemoryTests.standard, 6...9, in: &pool) == [])
        // One that waits for memory is overtaken by nobody, however small.
        var effects = pool.handle(.machineEnded(PoolMemoryTests.large), at: .zero)
        #expect(settle(&effects, in: &pool) == [3])
    }

    @Test("idle clones are promised nothing, and are handed out only while there is memory to promise")
    func idleClones() {
        var pool = makePool(resting: 4, promisable: 2 * 1280)
        var effects = pool.handle(.tick, at: .zero)
        _ = settle(&effects, in: &pool)
        #expect(pool.count(in: .idle) == 4 && pool.promisedMebibytes == 0)
        #expect(claim(PoolMemoryTests.standard, 1...3, in: &pool) == [1, 2])
        var ended = pool.handle(.machineEnded(PoolMemoryTests.standard), at: .zero)
        #expect(settle(&ended, in: &pool) == [3])
    }

    @Test("one machine is always served, even where less may be promised than it may take")
    func oneAlways() {
        var pool = makePool(promisable: 100)
        #expect(claim(PoolMemoryTests.large, 1...2, in: &pool) == [1])
    }

    @Test("a clone of a large machine needs more free memory to start than one of the usual size")
    func firstMemory() {
        var pool = makePool(promisable: 1 << 20)
        _ = pool.handle(.memory(availableMebibytes: 300, perCloneMebibytes: 100), at: .zero)
        #expect(claim(PoolMemoryTests.large, 1...1, in: &pool) == [])
        var effects = pool.handle(.memory(availableMebibytes: 400, perCloneMebibytes: 100), at: .zero)
        #expect(settle(&effects, in: &pool) == [1])
    }

    @Test("a burst of the usual size has dozens in use at once on a host of 24 GiB")
    func burst() {
        let configuration = EngineConfiguration(
            home: "/", cache: "/", instance: Instance(name: "t", index: 1, uidBase: 0, subnet: 0), isPrivileged: false)
        var pool = PoolState(
            settings: configuration.poolSettings(hostMebibytes: 24_105), standard: PoolMemoryTests.standard)
        _ = pool.handle(.memory(availableMebibytes: 22_000, perCloneMebibytes: 96), at: .zero)
        #expect(claim(PoolMemoryTests.standard, 1...100, in: &pool).count == 51)
        #expect(configuration.machinesMebibytes(hostMebibytes: 24_105) < 24_105)
    }
}
