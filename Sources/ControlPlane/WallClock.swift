import Foundation

/// The time as the control plane sees it, so that tests can step it.
package struct WallClock: Sendable {
    /// Microseconds since 1970.
    package let now: @Sendable () -> Int64
    package let sleep: @Sendable (Duration) async throws -> Void

    package init(now: @escaping @Sendable () -> Int64, sleep: @escaping @Sendable (Duration) async throws -> Void) {
        self.now = now
        self.sleep = sleep
    }

    package static let system = WallClock(
        now: {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
        },
        sleep: { try await Task.sleep(for: $0) })
}
