import MagsModel
import Store
import Testing

@Suite("A store of execs")
struct ExecStoreTests {
    private static func with(
        _ kind: StoreTests.Kind, _ body: (any Store, JobRecord) async throws -> Void
    ) async throws {
        try await StoreTests.with(kind) { store in
            let job = StoreTests.job("a")
            try await store.insert(job, StoreTests.payload())
            try await body(store, job)
        }
    }

    private static func exec(in job: JobRecord, key: String? = nil) -> ExecRecord {
        ExecRecord(
            id: .random(), job: job.id, key: key, fingerprint: [1, 0, 255], timeoutSeconds: 30, createdAt: 7)
    }

    @Test("brings an exec from pending over running to its end, each once", arguments: StoreTests.Kind.allCases)
    func brings(_ kind: StoreTests.Kind) async throws {
        try await ExecStoreTests.with(kind) { store, job in
            var exec = ExecStoreTests.exec(in: job, key: "k")
            #expect(try await store.insert(exec) == nil)
            #expect(try await store.exec(exec.id) == exec)
            try await store.requestStop(exec: exec.id)
            exec.isStopRequested = true
            #expect(try await store.unfinishedExecs() == [exec])
            #expect(try await store.markRunning(exec: exec.id, at: 9))
            #expect(try await !store.markRunning(exec: exec.id, at: 10))
            exec.startedAt = 9
            #expect(exec.state == .running)
            let end = StoreTests.end(.exited, 3)
            #expect(try await store.finish(exec: exec.id, end, startedAt: 11))
            #expect(try await !store.finish(exec: exec.id, StoreTests.end(.stopped), startedAt: nil))
            exec.end = end
            #expect(try await store.exec(exec.id) == exec)
            #expect(try await store.unfinishedExecs() == [])
            #expect(try await !store.markRunning(exec: .random(), at: 9))
            #expect(try await store.exec(.random()) == nil)
        }
    }

    @Test("keeps the start of an end that came without one", arguments: StoreTests.Kind.allCases)
    func endsWithStart(_ kind: StoreTests.Kind) async throws {
        try await ExecStoreTests.with(kind) { store, job in
            let exec = ExecStoreTests.exec(in: job)
            _ = try await store.insert(exec)
            #expect(try await store.finish(exec: exec.id, StoreTests.end(.exited, 0), startedAt: 8))
            #expect(try await store.exec(exec.id)?.startedAt == 8)
        }
    }

    @Test("has one exec of a job under one key", arguments: StoreTests.Kind.allCases)
    func keys(_ kind: StoreTests.Kind) async throws {
        try await ExecStoreTests.with(kind) { store, job in
            let other = StoreTests.job("b")
            try await store.insert(other, StoreTests.payload())
            let first = ExecStoreTests.exec(in: job, key: "k")
            #expect(try await store.insert(first) == nil)
            let second = ExecStoreTests.exec(in: job, key: "k")
            #expect(try await store.insert(second) == first)
            #expect(try await store.exec(second.id) == nil)
            #expect(try await store.exec(withKey: "k", of: job.id) == first)
            #expect(try await store.exec(withKey: "k", of: other.id) == nil)
            #expect(try await store.insert(ExecStoreTests.exec(in: other, key: "k")) == nil)
            for _ in 0..<2 { #expect(try await store.insert(ExecStoreTests.exec(in: job)) == nil) }
        }
    }

    @Test("deletes what ended long ago, and all that a deleted job had", arguments: StoreTests.Kind.allCases)
    func deletes(_ kind: StoreTests.Kind) async throws {
        try await ExecStoreTests.with(kind) { store, job in
            let execs = (0..<3).map { _ in ExecStoreTests.exec(in: job) }
            for exec in execs { _ = try await store.insert(exec) }
            for (exec, time) in zip(execs, [Int64(99), 100]) {
                _ = try await store.finish(exec: exec.id, StoreTests.end(.exited, 0, at: time), startedAt: nil)
            }
            #expect(try await store.execs(finishedBefore: 101, limit: 1).count == 1)
            let old = try await store.execs(finishedBefore: 100, limit: 10)
            #expect(old == [execs[0].id])
            try await store.deleteExecs(old + [.random()])
            #expect(try await store.exec(execs[0].id) == nil)
            #expect(try await store.exec(execs[1].id) != nil)
            try await store.deleteJobs([job.id])
            for exec in execs { #expect(try await store.exec(exec.id) == nil) }
            await #expect(throws: (any Error).self) { try await store.insert(ExecStoreTests.exec(in: job)) }
        }
    }
}
