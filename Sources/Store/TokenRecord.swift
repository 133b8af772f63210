/// A bearer token as it is kept: its hash only.
package struct TokenRecord: Sendable, Equatable {
    /// Not secret: names the token for listing and revocation.
    package var id: String
    package var name: String
    package var owner: Owner
    /// SHA-256 of the whole token.
    package var hash: [UInt8]
    package var createdAt: Int64
    package var expiresAt: Int64?
    package var lastUsedAt: Int64?

    package init(
        id: String, name: String, owner: Owner, hash: [UInt8], createdAt: Int64, expiresAt: Int64? = nil,
        lastUsedAt: Int64? = nil
    ) {
        self.id = id
        self.name = name
        self.owner = owner
        self.hash = hash
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.lastUsedAt = lastUsedAt
    }
}

/// An uploaded file; its bytes lie in a folder of the control plane's.
package struct UploadRecord: Sendable, Equatable {
    package var id: String
    package var owner: Owner
    package var name: String
    package var size: Int64
    package var createdAt: Int64
    package var lastUsedAt: Int64

    package init(id: String, owner: Owner, name: String, size: Int64, createdAt: Int64, lastUsedAt: Int64) {
        self.id = id
        self.owner = owner
        self.name = name
        self.size = size
        self.createdAt = createdAt
        self.lastUsedAt = lastUsedAt
    }
}
