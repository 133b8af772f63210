import Crypto
import MagsModel
package import Store
import Synchronization

/// Bearer tokens: made, recognised, listed, revoked. Only their hashes are kept, so a token is shown once.
package struct TokenService: Sendable {
    private let store: any TokenStore
    private let clock: WallClock
    private let uses = TokenUses()
    /// `last used` is kept to the minute, so that most requests write nothing.
    private static let useGrain: Int64 = 60_000_000

    package init(store: any TokenStore, clock: WallClock = .system) {
        self.store = store
        self.clock = clock
    }

    /// - Returns: the token itself, which cannot be had again, and what is kept of it.
    package func create(
        name: String, owner: Owner = .administrator, expiresAt: Int64? = nil
    ) async throws -> (token: String, record: TokenRecord) {
        let token = "mags_" + Self.hexadecimal(SymmetricKey(size: .bits256).withUnsafeBytes(Array.init))
        let hash = Array(SHA256.hash(data: Array(token.utf8)))
        let record = TokenRecord(
            id: "token-" + Self.hexadecimal(hash.prefix(6)), name: try NameRules.job(name), owner: owner, hash: hash,
            createdAt: clock.now(), expiresAt: expiresAt)
        try await store.insert(record)
        return (token, record)
    }

    /// Whom a bearer token speaks for.
    package func authenticate(_ token: some StringProtocol) async throws -> TokenRecord {
        let hash = SHA256.hash(data: Array(token.utf8))
        guard token.utf8.count <= 256, let record = try await store.token(withHash: Array(hash)), hash == record.hash
        else {
            throw Problem(
                401, "invalid_token", "This API token is not known on this server.",
                hint: "Log in again with `mags login`, or make a token on the server with `magsd token create`.")
        }
        let now = clock.now()
        if let expiresAt = record.expiresAt, expiresAt <= now {
            throw Problem(
                401, "expired_token", "This API token has expired.",
                hint: "Make a new one on the server with `magsd token create`.")
        }
        if now - (record.lastUsedAt ?? 0) >= Self.useGrain, uses.mayNote(record.id, at: now, every: Self.useGrain) {
            // Who shows a good token is let in, whether or not that can be noted.
            try? await store.noteUse(ofToken: record.id, at: now)
        }
        return record
    }

    /// Whether a token that was good a while ago still is: neither revoked nor expired.
    package func isStillGood(_ token: TokenRecord) async throws -> Bool {
        guard let record = try await store.token(withHash: token.hash), record.id == token.id else { return false }
        return record.expiresAt.map { $0 > clock.now() } ?? true
    }

    package func list(of owner: Owner = .administrator) async throws -> [TokenRecord] {
        try await store.tokens(of: owner)
    }

    package func revoke(_ id: String, of owner: Owner = .administrator) async throws {
        guard try await store.deleteToken(id, of: owner) else {
            throw Problem(404, "token_not_found", "token '\(id.prefix(64))' not found.")
        }
    }

    static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}

/// When each token's use was last noted, or tried to be: a store that fails is not asked at every request.
private final class TokenUses: Sendable {
    private let times = Mutex<[String: Int64]>([:])

    func mayNote(_ id: String, at now: Int64, every grain: Int64) -> Bool {
        times.withLock { times in
            if let last = times[id], now - last < grain { return false }
            times[id] = now
            return true
        }
    }
}
