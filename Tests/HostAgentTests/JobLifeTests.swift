import MagsModel
import Testing

@testable import HostAgent

@Suite("The life of a job on its node")
struct JobLifeTests {
    private func life(after events: [JobLife.Event]) -> (JobLife, [JobLife.Effect]) {
        var life = JobLife()
        var effects: [JobLife.Effect] = []
        for event in events { effects += life.apply(event) }
        return (life, effects)
    }

    @Test("ends with what the script returned", arguments: [0, 1, 7, 255])
    func exits(code: Int) {
        let (_, effects) = life(after: [.claimed, .exited(code: code)])
        #expect(effects == [.end(JobOutcome(cause: .exited, exitCode: code))])
    }

    @Test("gives 124 when the time is up, whatever the script then returned")
    func timeUp() {
        let (life, effects) = life(after: [.claimed, .timeUp, .exited(code: 3)])
        #expect(effects.first == .signal(15))
        #expect(life.state == .ended(JobOutcome(cause: .timedOut, exitCode: 124)))
    }

    @Test("kills a script that ignores the first signal, and lets go of one that ignores the second")
    func stubborn() {
        let (life, effects) = life(after: [.claimed, .stopAsked, .graceOver, .graceOver])
        #expect(
            effects == [
                .signal(15), .startGrace(seconds: 2), .signal(9), .startGrace(seconds: 3),
                .end(JobOutcome(cause: .stopped)),
            ])
        #expect(life.state == .ended(JobOutcome(cause: .stopped)))
    }

    @Test("stopped before it has a machine ends at once")
    func stoppedWaiting() {
        #expect(life(after: [.stopAsked]).1 == [.end(JobOutcome(cause: .stopped))])
    }

    @Test("that still waits when the server is stopped has no end here, whatever its claim then says")
    func leftWaiting() {
        let refusal = Problem(503, "shutting_down", "The host is being stopped.")
        let (life, effects) = life(after: [.serverStopped(mayHaveBegun: false), .claimFailed(refusal), .stopAsked])
        #expect(life.state == .left)
        #expect(effects.isEmpty)
    }

    @Test("tells a lost machine as a failure that names the reason")
    func lost() throws {
        let (life, _) = life(after: [.claimed, .machineLost("killed")])
        guard case .ended(let outcome) = life.state else {
            Issue.record("not ended")
            return
        }
        #expect(outcome.cause == .failed)
        #expect(outcome.code == "machine_lost")
        #expect(try #require(outcome.message).contains("killed"))
    }

    @Test(
        "that ends because the server is stopped says so, unless it was ending already",
        arguments: [[], [JobLife.Event.claimed]])
    func serverStopped(before: [JobLife.Event]) throws {
        guard case .ended(let outcome) = life(after: before + [.serverStopped(mayHaveBegun: true)]).0.state else {
            Issue.record("not ended")
            return
        }
        #expect((outcome.cause, outcome.code) == (.failed, "server_stopped"))
        #expect(try #require(outcome.message).contains("Run the job again"))
        let stopped = life(after: before + [.claimed, .stopAsked, .serverStopped(mayHaveBegun: true)]).0
        #expect(stopped.state == .ended(JobOutcome(cause: .stopped)))
    }

    @Test("ends exactly once in 100,000 random steps, and always has a way out")
    func randomWalk() {
        var generator = SystemRandomNumberGenerator()
        let problem = Problem(503, "no_room", "No room.")
        let events: [JobLife.Event] = [
            .claimed, .claimFailed(problem), .exited(code: 0), .neverRan("exec"), .timeUp, .stopAsked, .graceOver,
            .machineLost("gone"), .serverStopped(mayHaveBegun: false),
        ]
        var life = JobLife()
        var ends = 0
        for _ in 0..<100_000 {
            let before = life
            let effects = life.apply(events.randomElement(using: &generator) ?? .claimed)
            ends += effects.filter { if case .end = $0 { true } else { false } }.count
            if case .ended = before.state {
                #expect(effects.isEmpty)
                #expect(ends == 1)
                (life, ends) = (JobLife(), 0)
                continue
            }
            if case .left = life.state {
                #expect(ends == 0)
                (life, ends) = (JobLife(), 0)
                continue
            }
            // From wherever it stands, asking it to stop and waiting twice ends it.
            var copy = life
            for event in [JobLife.Event.stopAsked, .graceOver, .graceOver, .graceOver] { _ = copy.apply(event) }
            if case .ended = copy.state {} else { Issue.record("no way out of \(life.state)") }
        }
    }
}
