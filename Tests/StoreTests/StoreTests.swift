import Foundation
import MagsModel
import Store
import Testing

@testable import StoreSQLite

/// Every store must pass all of this.
@Suite("A store")
struct StoreTests {
    enum Kind: String, CaseIterable, Sendable { case memory, sqlite }

    static func with(_ kind: Kind, _ body: (any Store) async throws -> Void) async throws {
        switch kind {
        case .memory: try await body(MemoryStore())
        case .sqlite:
            let folder = "\(NSTemporaryDirectory())/mags-store-\(UUID().uuidString)"
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let store = try SQLiteStore(path: "\(folder)/store.sqlite")
            try await body(store)
            try store.shutDown()
        }
    }

    static let machine = MachineRecord(id: MachineID("vm-1"), accelerator: "tcg", image: "standard@1", startedAt: 5)

    static func job(
        _ name: String, workspace: String? = nil, owner: Owner = .administrator
    ) -> JobRecord {
        JobRecord(
            id: .random(), owner: owner, name: name, workspaceID: workspace, timeoutSeconds: 60, processors: 2,
            memoryMebibytes: 512, diskGigabytes: 3, createdAt: 7)
    }

    static func payload(files: [String] = []) -> JobPayload {
        JobPayload(script: "echo ü", sealedEnvironment: [1, 0, 255], fileIDs: files)
    }

    static func end(_ cause: JobOutcome.Cause, _ code: Int? = nil, at time: Int64 = 100) -> JobEnd {
        JobEnd(outcome: JobOutcome(cause: cause, exitCode: code, durationMilliseconds: 3), finishedAt: time)
    }

    @Test("gives back the very job it was given", arguments: Kind.allCases)
    func keeps(_ kind: Kind) async throws {
        try await StoreTests.with(kind) { store in
            let job = StoreTests.job("näme 🙂", workspace: "shop")
            #expect(try await !store.hasSealedEnvironments())
            try await store.insert(job, StoreTests.payload(files: ["b", "a"]))
            #expect(try await store.job(job.id) == job)
            #expect(try await store.payload(of: job.id) == StoreTests.payload(files: ["b", "a"]))
            #expect(try await store.payload(of: .random()) == nil)
            #expect(try await store.hasSealedEnvironments())
            #expect(try await store.job(.random()) == nil)
            await #expect(throws: (any Error).self) { try await store.insert(job, StoreTests.payload()) }
        }
    }

    @Test("brings a job from pending over running to its end, each once", arguments: Kind.allCases)
    func brings(_ kind: Kind) async throws {
        try await StoreTests.with(kind) { store in
            let job = StoreTests.job("a")
            try await store.insert(job, StoreTests.payload())
            #expect(try await store.markRunning(job.id, on: StoreTests.machine))
            #expect(try await !store.markRunning(job.id, on: StoreTests.machine))
            let running = try #require(try await store.job(job.id))
            #expect(running.state == .running)
            #expect(running.machine == StoreTests.machine)
            #expect(try await store.finish(job.id, StoreTests.end(.exited, 3), on: nil))
            #expect(try await !store.finish(job.id, StoreTests.end(.stopped), on: nil))
            #expect(try await !store.markRunning(job.id, on: StoreTests.machine))
            let ended = try #require(try await store.job(job.id))
            #expect(ended.state == .error)
            #expect(ended.machine == StoreTests.machine)
            #expect(ended.end == StoreTests.end(.exited, 3))
        }
    }

    @Test("forgets a job's script and sealed environment with its end", arguments: Kind.allCases)
    func forgetsPayloads(_ kind: Kind) async throws {
        try await StoreTests.with(kind) { store in
            let (ending, waiting) = (StoreTests.job("a"), StoreTests.job("b"))
            for job in [ending, waiting] { try await store.insert(job, StoreTests.payload()) }
            #expect(try await store.finish(ending.id, StoreTests.end(.exited, 0), on: nil))
            #expect(try await store.payload(of: ending.id) == nil)
            #expect(try await store.payload(of: waiting.id) == StoreTests.payload())
        }
    }

    @Test("keeps the machine of an end that came without a start", arguments: Kind.allCases)
    func endsWithMachine(_ kind: Kind) async throws {
        try await StoreTests.with(kind) { store in
            let (with, without) = (StoreTests.job("a"), StoreTests.job("b"))
            try await store.insert(with, StoreTests.payload())
            try await store.insert(without, StoreTests.payload())
            let failure = JobEnd(
                outcome: JobOutcome(cause: .failed, code: "no_room", message: "full"), finishedAt: 9)
            #expect(try await store.finish(with.id, StoreTests.end(.exited, 0), on: StoreTests.machine))
            #expect(try await store.finish(without.id, failure, on: nil))
            #expect(try await store.job(with.id)?.machine == StoreTests.machine)
            #expect(try await store.job(with.id)?.state == .completed)
            #expect(try await store.job(without.id)?.machine == nil)
            #expect(try await store.job(without.id)?.end == failure)
            #expect(try await !store.finish(.random(), failure, on: nil))
        }
    }

    @Test("lists the newest first, in pages, filtered, only the owner's", arguments: Kind.allCases)
    func lists(_ kind: Kind) async throws {
        try await StoreTests.with(kind) { store in
            var ids: [JobID] = []
            for number in 0..<7 {
                let job = StoreTests.job("job \(number % 2)", workspace: number == 3 ? "shop" : nil)
                ids.append(job.id)
                try await store.insert(job, StoreTests.payload())
            }
            try await store.insert(
                StoreTests.job("job 0", owner: Owner(user: "other", organisation: "default")), StoreTests.payload())
            _ = try await store.finish(ids[6], StoreTests.end(.exited, 0), on: nil)
            func page(_ change: (inout JobQuery) -> Void) async throws -> JobPage {
                var query = JobQuery(owner: .administrator, limit: 3)
                change(&query)
                return try await store.jobs(query)
            }
            #expect(try await page { _ in }.jobs.map(\.id) == [ids[6], ids[5], ids[4]])
            #expect(try await page { $0.offset = 5 }.jobs.map(\.id) == [ids[1], ids[0]])
            #expect(try await page { $0.offset = 50 }.jobs.isEmpty)
            #expect(try await page { _ in }.total == 7)
            #expect(try await page { $0.name = "job 1" }.jobs.map(\.id) == [ids[5], ids[3], ids[1]])
            #expect(try await page { $0.workspaceID = "shop" }.jobs.map(\.id) == [ids[3]])
            #expect(try await page { $0.state = .completed }.total == 1)
            #expect(try await page { $0.state = .running }.total == 0)
        }
    }

    @Test("resolves a name: living before ended, job before workspace, newest first", arguments: Kind.allCases)
    func resolves(_ kind: Kind) async throws {
        try await StoreTests.with(kind) { store in
            let named = [StoreTests.job("x"), StoreTests.job("x"), StoreTests.job("x")]
            let within = [StoreTests.job("y", workspace: "x"), StoreTests.job("z", workspace: "x")]
            for job in named + within { try await store.insert(job, StoreTests.payload()) }
            func resolved(_ text: String = "x") async throws -> JobID? {
                try await store.resolve(text, of: .administrator)?.id
            }
            #expect(try await resolved() == named[2].id)
            _ = try await store.markRunning(within[0].id, on: StoreTests.machine)
            #expect(try await resolved() == within[0].id)
            _ = try await store.markRunning(named[0].id, on: StoreTests.machine)
            #expect(try await resolved() == named[0].id)
            _ = try await store.markRunning(named[1].id, on: StoreTests.machine)
            #expect(try await resolved() == named[1].id)
            #expect(try await resolved(within[1].id.text.uppercased()) == within[1].id)
            #expect(try await resolved("X") == nil)
            #expect(try await resolved("z") == within[1].id)
            #expect(try await store.resolve("x", of: Owner(user: "other", organisation: "default")) == nil)
            #expect(
                try await store.resolve(named[0].id.text, of: Owner(user: "admin", organisation: "else")) == nil)
        }
    }

    @Test("knows what has not ended, and who asked to stop it", arguments: Kind.allCases)
    func unfinished(_ kind: Kind) async throws {
        try await StoreTests.with(kind) { store in
            let jobs = [StoreTests.job("a"), StoreTests.job("b"), StoreTests.job("c")]
            for job in jobs { try await store.insert(job, StoreTests.payload()) }
            _ = try await store.markRunning(jobs[1].id, on: StoreTests.machine)
            _ = try await store.finish(jobs[0].id, StoreTests.end(.stopped), on: nil)
            try await store.requestStop(jobs[0].id)
            try await store.requestStop(jobs[2].id)
            let left = try await store.unfinishedJobs()
            #expect(left.map(\.id) == [jobs[1].id, jobs[2].id])
            #expect(left.map(\.state) == [.running, .pending])
            #expect(left.map(\.payloadSize) == [10, 10])
            #expect(try await store.job(jobs[2].id)?.isStopRequested == true)
            #expect(try await store.job(jobs[0].id)?.isStopRequested == false)
        }
    }

    @Test("deletes what ended long ago and nothing else", arguments: Kind.allCases)
    func deletes(_ kind: Kind) async throws {
        try await StoreTests.with(kind) { store in
            let jobs = [StoreTests.job("old"), StoreTests.job("new"), StoreTests.job("living")]
            for job in jobs { try await store.insert(job, StoreTests.payload()) }
            _ = try await store.finish(jobs[0].id, StoreTests.end(.exited, 0, at: 99), on: nil)
            _ = try await store.finish(jobs[1].id, StoreTests.end(.exited, 0, at: 100), on: nil)
            #expect(try await store.jobs(finishedBefore: 101, limit: 1) == [jobs[0].id])
            let old = try await store.jobs(finishedBefore: 100, limit: 10)
            #expect(old == [jobs[0].id])
            try await store.deleteJobs(old + [.random()])
            #expect(try await store.jobs(finishedBefore: 100, limit: 10) == [])
            #expect(try await store.job(jobs[0].id) == nil)
            #expect(try await store.payload(of: jobs[0].id) == nil)
            #expect(try await store.job(jobs[1].id) != nil)
            #expect(try await store.payload(of: jobs[2].id) != nil)
            #expect(try await store.jobs(JobQuery(owner: .administrator)).total == 2)
        }
    }

    @Test("keeps tokens by their hash until they are revoked by their owner", arguments: Kind.allCases)
    func tokens(_ kind: Kind) async throws {
        try await StoreTests.with(kind) { store in
            let token = TokenRecord(
                id: "t1", name: "laptop", owner: .administrator, hash: [9, 8, 7], createdAt: 1, expiresAt: 50)
            try await store.insert(token)
            #expect(try await store.token(withHash: [9, 8, 7]) == token)
            #expect(try await store.token(withHash: [9, 8]) == nil)
            try await store.noteUse(ofToken: "t1", at: 33)
            #expect(try await store.tokens(of: .administrator).map(\.lastUsedAt) == [33])
            #expect(try await !store.deleteToken("t1", of: Owner(user: "other", organisation: "default")))
            #expect(try await store.deleteToken("t1", of: .administrator))
            #expect(try await store.token(withHash: [9, 8, 7]) == nil)
        }
    }

    @Test("keeps uploads while they are used or needed", arguments: Kind.allCases)
    func uploads(_ kind: Kind) async throws {
        try await StoreTests.with(kind) { store in
            for id in ["a", "b", "c"] {
                try await store.insert(
                    UploadRecord(
                        id: id, owner: .administrator, name: "\(id).txt", size: 3, createdAt: 1, lastUsedAt: 1))
            }
            #expect(try await store.uploadIDs() == ["a", "b", "c"])
            let used = try await store.useUploads(["c", "missing", "a"], of: .administrator, at: 10)
            #expect(used.map(\.id) == ["c", "a"])
            #expect(used.map(\.lastUsedAt) == [10, 10])
            let other = Owner(user: "other", organisation: "default")
            #expect(try await store.useUploads(["a"], of: other, at: 20) == [])
            let job = StoreTests.job("needs")
            try await store.insert(job, StoreTests.payload(files: ["b"]))
            #expect(try await store.deleteUploads(unusedSince: 10) == [])
            _ = try await store.finish(job.id, StoreTests.end(.exited, 0), on: nil)
            #expect(try await store.deleteUploads(unusedSince: 10) == ["b"])
            #expect(Set(try await store.deleteUploads(unusedSince: 11)) == ["a", "c"])
        }
    }
}

@Suite("The SQLite store")
struct SQLiteStoreTests {
    @Test("keeps its jobs over a restart, in files that only its owner can read")
    func restarts() async throws {
        let folder = "\(NSTemporaryDirectory())/mags-store-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = "\(folder)/store.sqlite"
        let job = StoreTests.job("kept", workspace: "shop")
        let first = try SQLiteStore(path: path)
        try await first.insert(job, StoreTests.payload())
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
            let mode = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")[.posixPermissions]
            #expect(mode as? Int == 0o600, "\(name)")
        }
        try first.shutDown()
        let second = try SQLiteStore(path: path)
        #expect(try await second.job(job.id) == job)
        #expect(try await second.payload(of: job.id) == StoreTests.payload())
        try second.shutDown()
    }

    @Test("takes over the jobs of a database from before payloads lay apart")
    func migrates() async throws {
        let folder = "\(NSTemporaryDirectory())/mags-store-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let id = JobID.random()
        let rows = Schema.Step(
            name: "rows of old",
            sql: """
                INSERT INTO job (id, user, organisation, name, script, environment, timeout_seconds, processors,
                    memory_mebibytes, created_at, state, stop_requested, disk_gigabytes)
                VALUES ('\(id.text)', 'admin', 'default', 'old', 'echo ü', x'0100FF', 60, 2, 512, 7, 'pending', 0, 3);
                INSERT INTO job_file (job, position, upload) VALUES (1, 0, 'b'), (1, 1, 'a');
                """)
        let old = try SQLiteStore(path: "\(folder)/store.sqlite", steps: Array(Schema.steps[..<2]) + [rows])
        try old.shutDown()
        let new = try SQLiteStore(path: "\(folder)/store.sqlite")
        var expected = StoreTests.job("old")
        expected.id = id
        #expect(try await new.job(id) == expected)
        #expect(try await new.payload(of: id) == StoreTests.payload(files: ["b", "a"]))
        #expect(try await new.unfinishedJobs() == [UnfinishedJob(id: id, state: .pending, payloadSize: 10)])
        try new.shutDown()
    }

    @Test("says that the disk is full when it is, goes on reading, and writes again when it is not")
    func full() async throws {
        let folder = "\(NSTemporaryDirectory())/mags-store-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // To SQLite a file that may not grow is a disk that is full.
        let store = try SQLiteStore(path: "\(folder)/store.sqlite", preparation: "PRAGMA max_page_count = 64")
        let first = StoreTests.job("first")
        try await store.insert(first, StoreTests.payload())
        let large = JobPayload(script: String(repeating: "x", count: 1 << 20))
        await #expect { try await store.insert(StoreTests.job("large"), large) } throws: { $0 as? Problem == .diskFull }
        #expect(try await store.job(first.id) == first)
        try await store.insert(StoreTests.job("small"), StoreTests.payload())
        try store.shutDown()
    }
}
