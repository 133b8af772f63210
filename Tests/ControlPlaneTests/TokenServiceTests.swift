import ControlPlane
import MagsModel
import Store
import Testing

@Suite("Tokens")
struct TokenServiceTests {
    private let clock = SteppingClock()
    private let store = MemoryStore()
    private var service: TokenService { TokenService(store: store, clock: clock.clock) }

    private func code(_ body: () async throws -> Void) async -> String? {
        do { try await body() } catch { return (error as? Problem)?.code }
        return nil
    }

    @Test("speak for their owner, are all different, and are kept as hashes only")
    func speak() async throws {
        let (token, record) = try await service.create(name: "laptop")
        let (other, _) = try await service.create(name: "laptop")
        #expect(token.hasPrefix("mags_") && token.utf8.count == 5 + 64)
        #expect(token != other)
        #expect(try await service.authenticate(token).id == record.id)
        #expect(record.hash.count == 32)
        #expect(!(try await service.list()).contains { String(describing: $0).contains(token.dropFirst(5)) })
    }

    @Test("that are wrong by anything are refused")
    func wrong() async throws {
        let (token, _) = try await service.create(name: "laptop")
        for text in ["", "mags_", String(token.dropLast()), token + "0", token.uppercased(), "x" + token.dropFirst()] {
            #expect(await code { _ = try await service.authenticate(text) } == "invalid_token")
        }
    }

    @Test("end when they expire and when they are revoked")
    func end() async throws {
        let now = clock.clock.now()
        let (token, _) = try await service.create(name: "short", expiresAt: now + 10_000_000)
        clock.step(.seconds(9))
        _ = try await service.authenticate(token)
        clock.step(.seconds(1))
        #expect(await code { _ = try await service.authenticate(token) } == "expired_token")
        let (second, record) = try await service.create(name: "second")
        try await service.revoke(record.id)
        #expect(await code { _ = try await service.authenticate(second) } == "invalid_token")
        #expect(await code { try await service.revoke(record.id) } == "token_not_found")
    }

    @Test("can be asked about later: whether they were revoked or have expired meanwhile")
    func later() async throws {
        let (_, lasting) = try await service.create(name: "lasting")
        let (_, short) = try await service.create(name: "short", expiresAt: clock.clock.now() + 5_000_000)
        #expect(try await service.isStillGood(lasting))
        #expect(try await service.isStillGood(short))
        clock.step(.seconds(5))
        #expect(try await !service.isStillGood(short))
        try await service.revoke(lasting.id)
        #expect(try await !service.isStillGood(lasting))
    }

    @Test("remember their last use to the minute")
    func lastUse() async throws {
        let (token, _) = try await service.create(name: "used")
        let first = clock.clock.now()
        _ = try await service.authenticate(token)
        clock.step(.seconds(59))
        _ = try await service.authenticate(token)
        #expect(try await service.list().map(\.lastUsedAt) == [first])
        clock.step(.seconds(1))
        _ = try await service.authenticate(token)
        #expect(try await service.list().map(\.lastUsedAt) == [first + 60_000_000])
    }
}
