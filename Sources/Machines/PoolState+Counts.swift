extension PoolState {
    /// How many clones should stand ready: with the demand of late, and at rest without.
    func target(at now: Duration) -> Int {
        guard !isClosed else { return 0 }
        guard let lastDemand, now - lastDemand < settings.calm else { return settings.restingSize }
        return max(settings.restingSize, min(settings.burstSize, demands.count))
    }

    func count(in phases: Phase...) -> Int { members.values.count { phases.contains($0.phase) } }

    func count(of kind: MachineKind, in phases: Phase...) -> Int {
        members.values.count { $0.kind == kind && phases.contains($0.phase) }
    }

    func oldest(_ phase: Phase, of kind: MachineKind) -> CloneNumber? {
        members.filter { $0.value.kind == kind && $0.value.phase == phase }.keys.min()
    }

    func oldestIdle(exceptKind kind: MachineKind) -> CloneNumber? {
        members.filter { $0.value.kind != kind && $0.value.phase == .idle }.keys.min()
    }

    /// Room for one more: machines that are starting have not taken their memory yet.
    func hasRoom(for kind: MachineKind) -> Bool {
        let starting = members.values.filter { $0.phase == .restoring || $0.phase == .warming }
        let needed = starting.reduce(first(kind)) { $0 + first($1.kind) }
        return members.count + busyCount < settings.maximumMachines
            && availableMebibytes - settings.reserveMebibytes >= needed
    }

    /// What a clone takes at first: as measured for the usual size, and for a larger one in proportion.
    private func first(_ kind: MachineKind) -> Int {
        perCloneMebibytes * max(1, kind.size.memoryMebibytes / standard.size.memoryMebibytes)
    }

    /// What is promised to machines in use, and to those that are restored for somebody in line. A clone that waits is
    /// promised nothing: what it takes is missing from the available memory already.
    var promisedMebibytes: Int {
        members.values.reduce(busyMebibytes) { sum, member in
            sum + (member.isUrgent && member.phase == .restoring ? member.kind.size.promisedMebibytes : 0)
        }
    }

    /// Whether one more may be in use. A single one always may: its size was held against the host's before.
    func mayPromise(_ kind: MachineKind) -> Bool {
        let promised = promisedMebibytes
        return promised == 0 || promised + kind.size.promisedMebibytes <= settings.promisableMebibytes
    }

    mutating func count(_ kind: MachineKind, isBusy: Bool) {
        busyCount += isBusy ? 1 : -1
        busyMebibytes += isBusy ? kind.size.promisedMebibytes : -kind.size.promisedMebibytes
    }
}
