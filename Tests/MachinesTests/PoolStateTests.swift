import HostSystem
import Testing

@testable import Machines

@Suite("The pool of clones")
struct PoolStateTests {
    private static let standard = MachineKind(image: "standard", size: .standard)
    private static let large = MachineKind(image: "standard", size: MachineSize(memoryMebibytes: 4096, processors: 2))

    private func makePool(resting: Int = 2, maximum: Int = 20) -> PoolState {
        PoolState(
            settings: PoolState.Settings(
                restingSize: resting, burstSize: 2 * resting, maximumMachines: maximum, reserveMebibytes: 0),
            standard: PoolStateTests.standard)
    }

    /// Brings a pool to its resting size.
    private func fill(_ pool: inout PoolState, at now: Duration = .zero) {
        var effects = pool.handle(.tick, at: now)
        while !effects.isEmpty {
            let effect = effects.removeFirst()
            switch effect {
            case .restore(let clone, _, _): effects += pool.handle(.restored(clone), at: now)
            case .warmUp(let clone): effects += pool.handle(.warmed(clone), at: now)
            default: break
            }
        }
    }

    @Test("fills to its resting size, a few at a time, and then rests")
    func fills() {
        var pool = makePool(resting: 5)
        let first = pool.handle(.tick, at: .zero)
        #expect(
            first == [
                .restore(1, PoolStateTests.standard, isUrgent: false),
                .restore(2, PoolStateTests.standard, isUrgent: false),
            ])
        #expect(pool.handle(.restored(1), at: .zero) == [.warmUp(1)])
        #expect(pool.handle(.warmed(1), at: .zero) == [.restore(3, PoolStateTests.standard, isUrgent: false)])
        fill(&pool)
        _ = pool.handle(.restored(2), at: .zero)
        _ = pool.handle(.restored(3), at: .zero)
        _ = pool.handle(.warmed(2), at: .zero)
        _ = pool.handle(.warmed(3), at: .zero)
        fill(&pool)
        for clone in 4...5 {
            _ = pool.handle(.restored(clone), at: .zero)
            _ = pool.handle(.warmed(clone), at: .zero)
        }
        #expect(pool.count(in: .idle) == 5)
        #expect(pool.handle(.tick, at: .seconds(100)).isEmpty)
    }

    @Test("notes what happens before clones can be made, and begins with all of it when they can")
    func notYetOpen() {
        var pool = makePool()
        pool.isOpen = false
        #expect(pool.handle(.adopted(PoolStateTests.standard), at: .zero).isEmpty)
        #expect(pool.handle(.claim(1, PoolStateTests.standard, isAgain: false), at: .zero).isEmpty)
        pool.isOpen = true
        let effects = pool.handle(.tick, at: .seconds(1))
        #expect(effects.first == .restore(1, PoolStateTests.standard, isUrgent: true))
        #expect(pool.busyCount == 1)
    }

    @Test("hands a warmed clone to a claim at once, and makes another a moment later")
    func handsAtOnce() {
        var pool = makePool()
        fill(&pool)
        #expect(pool.count(in: .idle) == 2)
        let effects = pool.handle(.claim(7, PoolStateTests.standard, isAgain: false), at: .seconds(1))
        #expect(effects == [.hand(1, 7), .lookAgain(after: .milliseconds(150))])
        #expect(pool.busyCount == 1)
        #expect(
            pool.handle(.tick, at: .milliseconds(1150))
                == [.restore(3, PoolStateTests.standard, isUrgent: false)])
    }

    @Test("makes another at once when few stand ready")
    func refillsWhenLow() {
        var pool = makePool(resting: 4)
        while pool.count(in: .idle) < 4 { fill(&pool) }
        func claim(_ number: Int) -> [PoolState.Effect] {
            pool.handle(.claim(number, PoolStateTests.standard, isAgain: false), at: .seconds(1))
        }
        #expect(claim(1).last == .lookAgain(after: .milliseconds(150)))
        #expect(claim(2).last == .lookAgain(after: .milliseconds(150)))
        #expect(claim(3).dropFirst().count == 2)
        #expect(pool.count(in: .restoring) == 2)
    }

    @Test("restores for a claim when it is empty, and hands the clone over unwarmed")
    func restoresOnDemand() {
        var pool = makePool(resting: 0)
        let effects = pool.handle(.claim(1, PoolStateTests.standard, isAgain: false), at: .zero)
        #expect(effects == [.restore(1, PoolStateTests.standard, isUrgent: true)])
        #expect(pool.handle(.restored(1), at: .zero) == [.hand(1, 1)])
    }

    @Test("serves in the order of the claims, a failed one first")
    func servesInOrder() {
        var pool = makePool(resting: 0)
        for claim in 1...3 { _ = pool.handle(.claim(claim, PoolStateTests.standard, isAgain: false), at: .zero) }
        #expect(pool.handle(.restored(2), at: .zero) == [.hand(2, 1)])
        #expect(pool.handle(.machineEnded(PoolStateTests.standard), at: .zero).isEmpty)
        _ = pool.handle(.claim(1, PoolStateTests.standard, isAgain: true), at: .zero)
        #expect(pool.handle(.restored(1), at: .zero) == [.hand(1, 1)])
        #expect(pool.handle(.restored(3), at: .zero) == [.hand(3, 2)])
    }

    @Test("restores no more at once than it may, and lets the rest wait")
    func boundsRestores() {
        var pool = makePool(resting: 0)
        var restores = 0
        for claim in 1...50 {
            restores += pool.handle(.claim(claim, PoolStateTests.standard, isAgain: false), at: .zero).count
        }
        #expect(restores == 4)
        #expect(pool.waiting.count == 50)
    }

    @Test("gives a cancelled claim's place to the next, and keeps a clone that nobody needs any more")
    func forgetsCancelled() {
        var pool = makePool(resting: 1)
        fill(&pool)
        _ = pool.handle(.claim(1, PoolStateTests.standard, isAgain: false), at: .zero)
        _ = pool.handle(.claim(2, PoolStateTests.standard, isAgain: false), at: .zero)
        _ = pool.handle(.cancel(2), at: .zero)
        #expect(pool.waiting.isEmpty)
        #expect(pool.handle(.restored(2), at: .zero).first == .warmUp(2))
    }

    @Test("grows with demand, and is at rest 30 seconds after the last one")
    func growsAndRests() {
        var pool = makePool(resting: 2)
        fill(&pool)
        for claim in 1...3 { _ = pool.handle(.claim(claim, PoolStateTests.standard, isAgain: false), at: .seconds(1)) }
        #expect(pool.target(at: .seconds(2)) == 3)
        #expect(pool.target(at: .seconds(30)) == 3)
        #expect(pool.target(at: .seconds(31)) == 2)
        for claim in 4...40 {
            _ = pool.handle(.claim(claim, PoolStateTests.standard, isAgain: false), at: .seconds(40))
        }
        #expect(pool.target(at: .seconds(41)) == 4)
    }

    @Test("discards what is above its size when it is at rest again")
    func shrinks() {
        var pool = makePool(resting: 1)
        fill(&pool)
        for claim in 1...2 { _ = pool.handle(.claim(claim, PoolStateTests.standard, isAgain: false), at: .zero) }
        while let clone = pool.members.first(where: { $0.value.phase == .restoring })?.key {
            _ = pool.handle(.restored(clone), at: .seconds(1))
            _ = pool.handle(.warmed(clone), at: .seconds(1))
        }
        #expect(pool.count(in: .idle) == 2)
        let effects = pool.handle(.tick, at: .seconds(31))
        #expect(effects.count == 1)
        #expect(pool.count(in: .idle) == 1)
        #expect(pool.count(in: .leaving) == 1)
    }

    @Test("makes no machine that memory or the limit has no room for, and serves when there is room")
    func waitsForRoom() {
        var pool = makePool(resting: 0, maximum: 1)
        _ = pool.handle(.claim(1, PoolStateTests.standard, isAgain: false), at: .zero)
        _ = pool.handle(.restored(1), at: .zero)
        #expect(pool.handle(.claim(2, PoolStateTests.standard, isAgain: false), at: .zero).isEmpty)
        #expect(
            pool.handle(.machineEnded(PoolStateTests.standard), at: .zero) == [
                .restore(2, PoolStateTests.standard, isUrgent: true)
            ])

        var poor = makePool(resting: 0)
        _ = poor.handle(.memory(availableMebibytes: 10, perCloneMebibytes: 64), at: .zero)
        #expect(poor.handle(.claim(1, PoolStateTests.standard, isAgain: false), at: .zero).isEmpty)
        #expect(
            poor.handle(.memory(availableMebibytes: 64, perCloneMebibytes: 64), at: .zero)
                == [.restore(1, PoolStateTests.standard, isUrgent: true)])
    }

    @Test("discards an idle clone for a claim of another kind that finds no room")
    func makesRoom() {
        var pool = makePool(resting: 2, maximum: 2)
        fill(&pool)
        #expect(pool.handle(.claim(1, PoolStateTests.large, isAgain: false), at: .zero) == [.discard(1)])
        #expect(
            pool.handle(.gone(1, failure: nil), at: .zero) == [.restore(3, PoolStateTests.large, isUrgent: true)])
        #expect(pool.handle(.restored(3), at: .zero) == [.hand(3, 1)])
    }

    @Test("refuses who waits after three failures in a row, and makes nothing ahead for a while")
    func refusesAfterFailures() {
        var pool = makePool(resting: 1)
        let failure = MachineError("qemu_failed", "no")
        _ = pool.handle(.claim(1, PoolStateTests.standard, isAgain: false), at: .zero)
        var clone = 1
        var refused = false
        for _ in 0..<3 {
            let effects = pool.handle(.gone(clone, failure: failure), at: .zero)
            if effects.contains(.refuse(1, failure)) { refused = true }
            for case .restore(let next, _, _) in effects { clone = next }
        }
        #expect(refused)
        #expect(pool.members.isEmpty)
        #expect(pool.handle(.tick, at: .seconds(1)).isEmpty)
        #expect(pool.handle(.tick, at: .seconds(61)).count == 1)
    }

    @Test("refuses everybody and discards everything when it closes")
    func closes() {
        var pool = makePool(resting: 1, maximum: 1)
        fill(&pool)
        _ = pool.handle(.claim(1, PoolStateTests.standard, isAgain: false), at: .zero)
        _ = pool.handle(.claim(2, PoolStateTests.standard, isAgain: false), at: .zero)
        #expect(pool.handle(.close, at: .zero) == [.refuse(2, .shuttingDown)])
        #expect(
            pool.handle(.claim(3, PoolStateTests.standard, isAgain: false), at: .zero) == [.refuse(3, .shuttingDown)])
        #expect(pool.handle(.machineEnded(PoolStateTests.standard), at: .zero).isEmpty)
    }
}
