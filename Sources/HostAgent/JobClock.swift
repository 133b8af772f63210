import Foundation
package import Machines
package import NIOCore

/// Time and the letting-go of machines for all jobs of a node.
package struct JobClock: Sendable {
    package struct Timer: Sendable {
        let task: Scheduled<Void>
        func cancel() { task.cancel() }
    }

    let eventLoop: any EventLoop
    /// Owns the machines of ended jobs until nothing is left of them.
    let release: @Sendable (Machine) -> Void

    /// Microseconds since 1970.
    package let now: @Sendable () -> UInt64

    package init(
        eventLoop: any EventLoop, release: @escaping @Sendable (Machine) -> Void,
        now: @escaping @Sendable () -> UInt64 = { UInt64(Date().timeIntervalSince1970 * 1_000_000) }
    ) {
        self.eventLoop = eventLoop
        self.release = release
        self.now = now
    }

    func after(seconds: Double, _ action: @escaping @Sendable () -> Void) -> Timer {
        let nanoseconds = Int64(min(seconds, 3e9) * 1e9)
        return Timer(task: eventLoop.scheduleTask(in: .nanoseconds(nanoseconds)) { action() })
    }
}
