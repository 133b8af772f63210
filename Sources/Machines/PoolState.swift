/// The pool of clones, as a value: what happened goes in, what to do comes out.
///
///     restore ─► restoring ─► warming ─► idle ─► (handed: busy, no longer ours)
///                    │           │         │
///                    └───────────┴─────────┴──► leaving ─► gone
///
/// A claim takes an idle clone of its kind, else waits in line; for those in line clones are restored and handed over
/// unwarmed. Who waits never loses the place. Times are since the pool's start.
struct PoolState: Sendable {
    typealias CloneNumber = Int
    typealias ClaimNumber = Int

    struct Settings: Sendable, Equatable {
        /// Where the pool is when nothing was asked for lately.
        var restingSize: Int
        /// How far demand makes it grow.
        var burstSize: Int
        var maximumMachines: Int
        var restoresAtOnce = 4
        var warmingAtOnce = 2
        /// So long after the last demand the pool is back at its resting size.
        var calm: Duration = .seconds(30)
        /// Demand is measured over this time.
        var window: Duration = .seconds(10)
        /// A claim has the processors for itself this long before its clone is replaced, unless few are left.
        var refillDelay: Duration = .milliseconds(150)
        /// Memory that stays free for everybody else.
        var reserveMebibytes: Int
        /// What machines in use may take together if each takes all that its size allows.
        var promisableMebibytes = Int.max / 2
    }

    enum Phase: Sendable { case restoring, warming, idle, leaving }

    enum Event: Sendable {
        /// - Parameter isAgain: it had a clone that failed: it goes to the head of the line.
        case claim(ClaimNumber, MachineKind, isAgain: Bool)
        case cancel(ClaimNumber)
        case restored(CloneNumber)
        case warmed(CloneNumber)
        /// A clone of ours is gone: asked for or not.
        case gone(CloneNumber, failure: MachineError?)
        /// A machine that was handed over, or adopted, is gone.
        case machineEnded(MachineKind)
        case adopted(MachineKind)
        case memory(availableMebibytes: Int, perCloneMebibytes: Int)
        case tick
        case close
    }

    enum Effect: Sendable, Equatable {
        case restore(CloneNumber, MachineKind, isUrgent: Bool)
        case warmUp(CloneNumber)
        case hand(CloneNumber, ClaimNumber)
        case discard(CloneNumber)
        case refuse(ClaimNumber, MachineError)
        /// Send a `tick` after this time.
        case lookAgain(after: Duration)
    }

    struct Member: Sendable {
        var kind: MachineKind
        var phase: Phase
        /// Restored for somebody in line.
        var isUrgent: Bool
    }

    struct Waiter: Sendable {
        var claim: ClaimNumber
        var kind: MachineKind
    }

    static let failuresBeforeRefusal = 3

    let settings: Settings
    let standard: MachineKind
    var members: [CloneNumber: Member] = [:]
    var waiting: [Waiter] = []
    var busyCount = 0
    var busyMebibytes = 0
    var demands: [Duration] = []
    var lastDemand: Duration?
    var failures: [MachineKind: Int] = [:]
    /// After failures nothing is made ahead of demand before this.
    var pausedUntil: Duration = .zero
    var availableMebibytes: Int = .max / 2
    var perCloneMebibytes = 96
    /// False until clones can be made; what happens before is noted and answered then.
    var isOpen = true
    var isClosed = false
    private var nextClone = 1

    init(settings: Settings, standard: MachineKind) {
        self.settings = settings
        self.standard = standard
    }

    mutating func handle(_ event: Event, at now: Duration) -> [Effect] {
        var effects: [Effect] = []
        apply(event, at: now, &effects)
        if isClosed {
            close(&effects)
        } else if isOpen {
            serve(&effects)
            refill(at: now, &effects)
            shrink(at: now, &effects)
        }
        return effects
    }

    private mutating func apply(_ event: Event, at now: Duration, _ effects: inout [Effect]) {
        switch event {
        case .claim(let claim, let kind, let isAgain):
            guard !isClosed else { return effects.append(.refuse(claim, .shuttingDown)) }
            if isAgain {
                waiting.insert(Waiter(claim: claim, kind: kind), at: 0)
            } else {
                waiting.append(Waiter(claim: claim, kind: kind))
                noteDemand(at: now)
            }
        case .cancel(let claim): waiting.removeAll { $0.claim == claim }
        case .restored(let clone):
            guard let member = members[clone], member.phase == .restoring else { return }
            failures[member.kind] = nil
            if let first = waiting.firstIndex(where: { $0.kind == member.kind }),
                member.isUrgent || mayPromise(member.kind)
            {
                hand(clone, toWaiterAt: first, &effects)
            } else if member.kind == standard, isClosed == false,
                count(of: standard, in: .idle, .warming) < target(at: now)
            {
                members[clone]?.phase = .warming
                effects.append(.warmUp(clone))
            } else {
                discard(clone, &effects)
            }
        case .warmed(let clone):
            guard members[clone]?.phase == .warming else { return }
            members[clone]?.phase = .idle
        case .gone(let clone, let failure):
            guard let member = members.removeValue(forKey: clone) else { return }
            if let failure, member.phase != .leaving { noteFailure(failure, of: member.kind, at: now, &effects) }
        case .machineEnded(let kind): count(kind, isBusy: false)
        case .adopted(let kind): count(kind, isBusy: true)
        case .memory(let available, let perClone):
            availableMebibytes = available
            perCloneMebibytes = perClone
        case .tick: break
        case .close: isClosed = true
        }
    }

    /// Idle clones for those in line, then room and restores for the rest.
    private mutating func serve(_ effects: inout [Effect]) {
        var index = 0
        // Nobody overtakes who waits for memory: a large machine would never get it.
        while index < waiting.count, mayPromise(waiting[index].kind) {
            if let clone = oldest(.idle, of: waiting[index].kind) {
                hand(clone, toWaiterAt: index, &effects)
            } else {
                index += 1
            }
        }
        var served: [MachineKind: Int] = [:]
        for waiter in waiting {
            served[waiter.kind, default: 0] += 1
            let underway = count(of: waiter.kind, in: .restoring)
            guard served[waiter.kind, default: 0] > underway else { continue }
            guard count(in: .restoring) < settings.restoresAtOnce, mayPromise(waiter.kind) else { return }
            guard hasRoom(for: waiter.kind) else {
                // Idle clones of another kind hold what somebody in line needs.
                if let clone = oldestIdle(exceptKind: waiter.kind), count(in: .leaving) == 0 {
                    discard(clone, &effects)
                }
                return
            }
            restore(waiter.kind, isUrgent: true, &effects)
        }
    }

    private mutating func refill(at now: Duration, _ effects: inout [Effect]) {
        guard waiting.isEmpty, now >= pausedUntil else { return }
        let ready = count(of: standard, in: .idle)
        if let lastDemand, now - lastDemand < settings.refillDelay, 2 * ready >= settings.restingSize, ready > 0 {
            if ready < target(at: now), hasRoom(for: standard) {
                effects.append(.lookAgain(after: lastDemand + settings.refillDelay - now))
            }
            return
        }
        while count(in: .restoring, .warming) < settings.warmingAtOnce, hasRoom(for: standard),
            count(of: standard, in: .idle, .restoring, .warming) < target(at: now)
        {
            restore(standard, isUrgent: false, &effects)
        }
    }

    private mutating func shrink(at now: Duration, _ effects: inout [Effect]) {
        let surplus = count(of: standard, in: .idle) - target(at: now)
        guard surplus > 0 else { return }
        for _ in 0..<surplus {
            if let clone = oldest(.idle, of: standard) { discard(clone, &effects) }
        }
    }

    private mutating func close(_ effects: inout [Effect]) {
        for waiter in waiting { effects.append(.refuse(waiter.claim, .shuttingDown)) }
        waiting = []
        for clone in members.keys.sorted() where members[clone]?.phase != .leaving { discard(clone, &effects) }
    }

    private mutating func restore(_ kind: MachineKind, isUrgent: Bool, _ effects: inout [Effect]) {
        let clone = nextClone
        nextClone += 1
        members[clone] = Member(kind: kind, phase: .restoring, isUrgent: isUrgent)
        effects.append(.restore(clone, kind, isUrgent: isUrgent))
    }

    private mutating func hand(_ clone: CloneNumber, toWaiterAt index: Int, _ effects: inout [Effect]) {
        if let member = members.removeValue(forKey: clone) { count(member.kind, isBusy: true) }
        effects.append(.hand(clone, waiting.remove(at: index).claim))
    }

    private mutating func discard(_ clone: CloneNumber, _ effects: inout [Effect]) {
        members[clone]?.phase = .leaving
        effects.append(.discard(clone))
    }

    private mutating func noteDemand(at now: Duration) {
        lastDemand = now
        demands.append(now)
        demands.removeAll { now - $0 > settings.window }
        // More than this changes no target.
        if demands.count > settings.burstSize { demands.removeFirst(demands.count - settings.burstSize) }
    }

    private mutating func noteFailure(
        _ failure: MachineError, of kind: MachineKind, at now: Duration, _ effects: inout [Effect]
    ) {
        let count = failures[kind, default: 0] + 1
        failures[kind] = count
        pausedUntil = now + .seconds(min(60, 1 << min(count, 6)))
        guard count >= PoolState.failuresBeforeRefusal else { return }
        for waiter in waiting where waiter.kind == kind { effects.append(.refuse(waiter.claim, failure)) }
        waiting.removeAll { $0.kind == kind }
        failures[kind] = nil
    }
}
