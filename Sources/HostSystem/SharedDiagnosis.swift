package import MagsModel

/// One look at the host for all who ask at about the same time: whoever may ask as often as they like costs one look at
/// once, and none within a second of the last.
package actor SharedDiagnosis {
    private static let life = Duration.seconds(1)

    private let look: @Sendable () async -> [Finding]
    private let now: @Sendable () -> ContinuousClock.Instant
    private var underWay: Task<[Finding], Never>?
    private var last: (findings: [Finding], moment: ContinuousClock.Instant)?

    package init(
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        look: @escaping @Sendable () async -> [Finding]
    ) {
        self.look = look
        self.now = now
    }

    package func findings() async -> [Finding] {
        if let underWay { return await underWay.value }
        if let last, now() - last.moment < Self.life { return last.findings }
        let look = look
        let task = Task { await look() }
        underWay = task
        let findings = await task.value
        underWay = nil
        last = (findings, now())
        return findings
    }
}
