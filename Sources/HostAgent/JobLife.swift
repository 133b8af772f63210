package import MagsModel

/// The life of a job on its node, as a value.
///
/// ```
/// waiting ──claimed──► running ──exited──────────────► ended
///    │                  │  └─timeUp, stopAsked─► ending ─┘ (exited, graceOver twice, machineLost)
///    ├──claimFailed, stopAsked──────────────────────► ended
///    └──serverStopped, nothing sent─► left
/// ```
/// Every state but the last two has a deadline: `waiting` the engine's, `running` the job's time, `ending` its grace.
package struct JobLife: Equatable, Sendable {
    package enum State: Equatable, Sendable {
        case waiting
        case running
        /// Asked to end; `isKilled` after the first grace.
        case ending(JobOutcome.Cause, isKilled: Bool)
        case ended(JobOutcome)
        /// The node stops and no machine has the script: the next node is sent the job again, so it has no end here.
        case left
    }

    package enum Event: Equatable, Sendable {
        case claimed
        case claimFailed(Problem)
        case exited(code: Int)
        /// The guest could not start the script.
        case neverRan(String)
        case timeUp
        case stopAsked
        case graceOver
        case machineLost(String)
        /// The server is being stopped, and its machines with it. `mayHaveBegun`: a machine may have the script.
        case serverStopped(mayHaveBegun: Bool)
    }

    package enum Effect: Equatable, Sendable {
        /// A signal for all that the script started.
        case signal(Int)
        /// `graceOver` after so many seconds.
        case startGrace(seconds: Int)
        /// Write it down, then report it, then let the machine go.
        case end(JobOutcome)
    }

    package private(set) var state = State.waiting
    package init() {}
    package init(resumed cause: JobOutcome.Cause?) {
        state = cause.map { .ending($0, isKilled: false) } ?? .running
    }

    static let terminate = 15
    static let kill = 9
    static let timeoutExitCode = 124

    package var isOver: Bool {
        switch state {
        case .ended, .left: true
        case .waiting, .running, .ending: false
        }
    }

    package mutating func apply(_ event: Event) -> [Effect] {
        switch (state, event) {
        case (.ended, _), (.left, _), (.waiting, .exited), (.waiting, .neverRan), (.waiting, .graceOver),
            (.running, .claimed),
            (.running, .claimFailed), (.running, .graceOver), (.ending, .claimFailed), (.ending, .timeUp),
            (.ending, .stopAsked):
            return []
        case (.waiting, .claimed):
            state = .running
            return []
        case (.waiting, .serverStopped(mayHaveBegun: false)):
            state = .left
            return []
        case (.waiting, .claimFailed(let problem)):
            return end(JobOutcome(cause: .failed, code: problem.code, message: problem.description))
        case (.waiting, .stopAsked):
            return end(JobOutcome(cause: .stopped))
        case (.waiting, .timeUp):
            return end(JobOutcome(cause: .timedOut, exitCode: JobLife.timeoutExitCode))
        case (.running, .exited(let code)):
            return end(JobOutcome(cause: .exited, exitCode: code))
        case (.running, .neverRan(let reason)), (.ending, .neverRan(let reason)):
            return end(
                JobOutcome(
                    cause: .failed, code: "script_not_started", message: "The script could not start: \(reason)."))
        case (.running, .timeUp): return beginEnding(.timedOut)
        case (.running, .stopAsked): return beginEnding(.stopped)
        case (.ending(let cause, _), .exited(let code)):
            return end(JobOutcome(cause: cause, exitCode: cause == .timedOut ? JobLife.timeoutExitCode : code))
        case (.ending(let cause, isKilled: false), .graceOver):
            state = .ending(cause, isKilled: true)
            return [.signal(JobLife.kill), .startGrace(seconds: 3)]
        case (.ending(let cause, isKilled: true), .graceOver), (.ending(let cause, _), .machineLost),
            (.ending(let cause, _), .serverStopped):
            return end(JobOutcome(cause: cause, exitCode: cause == .timedOut ? JobLife.timeoutExitCode : nil))
        case (.ending(let cause, _), .claimed):
            state = .ending(cause, isKilled: false)
            return [.signal(JobLife.kill), .startGrace(seconds: 3)]
        case (_, .serverStopped):
            return end(
                JobOutcome(
                    cause: .failed, code: "server_stopped",
                    message: "The server was stopped before the script ended. Run the job again when it is back."))
        case (_, .machineLost(let reason)):
            return end(
                JobOutcome(
                    cause: .failed, code: "machine_lost",
                    message: "The machine ended before the script did: \(reason). Run the job again."))
        }
    }

    private mutating func beginEnding(_ cause: JobOutcome.Cause) -> [Effect] {
        state = .ending(cause, isKilled: false)
        return [.signal(JobLife.terminate), .startGrace(seconds: 2)]
    }

    private mutating func end(_ outcome: JobOutcome) -> [Effect] {
        state = .ended(outcome)
        return [.end(outcome)]
    }
}

extension JobLife {
    /// A job whose end was known before.
    init(ended outcome: JobOutcome) { state = .ended(outcome) }
}
