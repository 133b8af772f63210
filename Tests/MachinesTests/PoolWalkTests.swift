import HostSystem
import Testing

@testable import Machines

/// A world around the pool in which everything that can happen happens in any order.
private struct PoolWalk {
    private static let kinds = [
        MachineKind(image: "standard", size: .standard),
        MachineKind(image: "standard", size: MachineSize(memoryMebibytes: 256, processors: 1)),
    ]

    var pool: PoolState
    var random: SplitMix
    var now: Duration = .zero
    var restoring: Set<Int> = []
    var warming: Set<Int> = []
    var idle: Set<Int> = []
    var leaving: Set<Int> = []
    var waiting: [Int: MachineKind] = [:]
    var machines: [MachineKind] = []
    var lastClaim = 0
    var served = 0

    init(seed: UInt64) {
        pool = PoolState(
            settings: PoolState.Settings(
                restingSize: 4, burstSize: 8, maximumMachines: 12, reserveMebibytes: 100, promisableMebibytes: 9000),
            standard: PoolWalk.kinds[0])
        random = SplitMix(state: seed)
    }

    mutating func step() {
        now += .milliseconds(Int.random(in: 1...2000, using: &random))
        switch Int.random(in: 0..<12, using: &random) {
        case 0...2:
            lastClaim += 1
            let kind = PoolWalk.kinds[Int.random(in: 0..<6, using: &random) / 5]
            waiting[lastClaim] = kind
            feed(.claim(lastClaim, kind, isAgain: false))
        case 3:
            if let claim = waiting.keys.randomElement(using: &random) {
                waiting[claim] = nil
                feed(.cancel(claim))
            }
        case 4, 5: if let clone = restoring.randomElement(using: &random) { feed(.restored(clone)) }
        case 6:
            if let clone = warming.randomElement(using: &random) {
                warming.remove(clone)
                idle.insert(clone)
                feed(.warmed(clone))
            }
        case 7:
            if let clone = leaving.randomElement(using: &random) {
                leaving.remove(clone)
                restoring.remove(clone)
                feed(.gone(clone, failure: nil))
            }
        case 8:
            endMachine()
        case 9:
            if let clone = restoring.union(warming).randomElement(using: &random) {
                restoring.remove(clone)
                warming.remove(clone)
                leaving.remove(clone)
                feed(.gone(clone, failure: MachineError("x", "y")))
            }
        case 10: feed(.memory(availableMebibytes: Int.random(in: 0...2000, using: &random), perCloneMebibytes: 64))
        default: feed(.tick)
        }
    }

    /// Everything goes well from now on: nobody may be left waiting.
    mutating func settle() {
        feed(.memory(availableMebibytes: 1 << 20, perCloneMebibytes: 64))
        for _ in 0..<1000 where !waiting.isEmpty {
            if let clone = restoring.min() {
                feed(.restored(clone))
            } else if let clone = leaving.min() {
                leaving.remove(clone)
                feed(.gone(clone, failure: nil))
            } else {
                endMachine()
            }
        }
    }

    private mutating func endMachine() {
        guard let place = machines.indices.randomElement(using: &random) else { return }
        feed(.machineEnded(machines.remove(at: place)))
    }

    mutating func feed(_ event: PoolState.Event) {
        if case .restored(let clone) = event { restoring.remove(clone) }
        for effect in pool.handle(event, at: now) {
            switch effect {
            case .restore(let clone, _, let isUrgent):
                restoring.insert(clone)
                #expect(isUrgent == !waiting.isEmpty)
            case .warmUp(let clone): warming.insert(clone)
            case .hand(let clone, let claim):
                let kind = waiting.removeValue(forKey: claim)
                #expect(kind != nil, "a claim is served once, and only while it waits")
                idle.remove(clone)
                #expect(!leaving.contains(clone))
                machines.append(kind ?? PoolWalk.kinds[0])
                served += 1
            case .discard(let clone):
                idle.remove(clone)
                #expect(leaving.insert(clone).inserted)
            case .lookAgain(let delay): #expect(delay > .zero)
            case .refuse(let claim, _): #expect(waiting.removeValue(forKey: claim) != nil)
            }
        }
        #expect(pool.busyCount == machines.count)
        #expect(pool.busyMebibytes == machines.reduce(0) { $0 + $1.size.promisedMebibytes })
        #expect(pool.promisedMebibytes <= 9000)
        #expect(Set(pool.waiting.map(\.claim)) == Set(waiting.keys))
        #expect(pool.members.count + pool.busyCount <= pool.settings.maximumMachines)
        #expect(pool.count(in: .restoring) <= pool.settings.restoresAtOnce + pool.settings.warmingAtOnce)
        #expect(pool.count(in: .idle) == idle.count)
    }
}

/// Random numbers that are the same for the same seed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

@Suite("The pool on a random walk")
struct PoolWalkTests {
    @Test("keeps its counts, its limits and everybody's place", arguments: 1...20)
    func walks(seed: UInt64) {
        var walk = PoolWalk(seed: seed)
        for _ in 0..<600 { walk.step() }
        #expect(walk.served > 20)
        walk.settle()
        #expect(walk.waiting.isEmpty)
    }
}
