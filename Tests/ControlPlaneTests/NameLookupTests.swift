import Dispatch
import MagsModel
import Synchronization
import Testing

@testable import ControlPlane

/// A name server that keeps silent until it is told to speak.
private final class SilentResolver: Sendable {
    private let gate = DispatchSemaphore(value: 0)
    private let arrived = AsyncStream.makeStream(of: String.self)
    private let count = Mutex(0)

    func resolve(_ host: String) -> [String] {
        count.withLock { $0 += 1 }
        arrived.continuation.yield(host)
        gate.wait()
        return [host]
    }

    var asked: Int { count.withLock { $0 } }

    func waitForQuestions(_ number: Int) async {
        var seen = 0
        guard number > 0 else { return }
        for await _ in arrived.stream {
            seen += 1
            if seen == number { return }
        }
    }

    func speak(_ times: Int) { for _ in 0..<times { gate.signal() } }
}

@Suite("Look-ups of names")
struct NameLookupTests {
    @Test("keep to their threads, queue some more, and refuse the rest at once")
    func bounded() async throws {
        let resolver = SilentResolver()
        let lookups = NameLookups(threads: 2, queue: 1) { resolver.resolve($0) }
        let blocked = (0..<2).map { number in Task { try await lookups.addresses(of: "\(number)") } }
        await resolver.waitForQuestions(2)
        let queued = Task { try await lookups.addresses(of: "queued") }
        let other = Task { try await lookups.addresses(of: "other") }
        // Either of the two is queued and the other is refused, whichever comes first: while nobody is answered.
        let refusals = AsyncStream.makeStream(of: Void.self)
        for task in [queued, other] {
            Task { if case .failure = await task.result { refusals.continuation.yield() } }
        }
        var refused = refusals.stream.makeAsyncIterator()
        #expect(await refused.next() != nil)
        resolver.speak(3)
        let outcomes = [await queued.result, await other.result].map { (try? $0.get()) != nil }
        #expect(outcomes.sorted { !$0 && $1 } == [false, true])
        for task in blocked { _ = try await task.value }
        #expect(resolver.asked == 3)
    }

    @Test("are given up in time, though the resolver has not returned")
    func abandoned() async throws {
        let (resolver, clock) = (SilentResolver(), SteppingClock())
        let source = ScriptSource(
            allowsPrivateAddresses: true, limit: .seconds(10), clock: clock.clock,
            lookups: NameLookups(threads: 1, queue: 1) { resolver.resolve($0) }, places: Places(2))
        let fetching = Task { try await source.fetch("http://slow.example/") }
        await resolver.waitForQuestions(1)
        await clock.sleeper(for: .seconds(10))
        clock.step(.seconds(10))
        await #expect { try await fetching.value } throws: { ($0 as? Problem)?.code == "script_fetch_failed" }
        resolver.speak(1)
    }

    @Test("are not begun for more fetches at a time than there are places")
    func fetches() async throws {
        let resolver = SilentResolver()
        let source = ScriptSource(
            allowsPrivateAddresses: true, limit: .seconds(10), clock: SteppingClock().clock,
            lookups: NameLookups { resolver.resolve($0) }, places: Places(1))
        let first = Task { try await source.fetch("http://slow.example/") }
        await resolver.waitForQuestions(1)
        await #expect { try await source.fetch("http://slow.example/") } throws: { error in
            (error as? Problem)?.status == 429 && (error as? Problem)?.isRetryable == true
        }
        first.cancel()
        _ = await first.result
        resolver.speak(1)
    }

    @Test("find this host's own addresses, which no script is taken from")
    func own() {
        #expect(NumericAddress.ofThisHost().contains("127.0.0.1"))
        #expect(ScriptSource.mayUse("1.1.1.1", own: []))
        #expect(!ScriptSource.mayUse("1.1.1.1", own: ["1.1.1.1"]))
    }
}
