import Crypto
import Foundation
import MagsModel

/// Keeps environments unreadable while they are stored. Its key lies in a file that only the server can read; without
/// that file the stored environments are lost, and nothing else.
package struct Seal: Sendable {
    private let key: SymmetricKey

    /// Reads the key, or makes one: where there is no file, or one that is no key while nothing is sealed yet.
    /// - Parameter isInUse: whether the store has anything that was sealed. Asked only about a file that is no key.
    package init(keyFile path: String, isInUse: () async throws -> Bool) async throws {
        if let kept = try Seal.read(path) {
            key = kept
        } else if try await !isInUse() {
            try Seal.make(path, replacing: true)
            guard let made = try Seal.read(path) else { throw Seal.unusable(path) }
            key = made
        } else {
            throw Seal.unusable(path)
        }
    }

    func seal(_ environment: [String: String], for id: JobID) throws -> [UInt8] {
        guard !environment.isEmpty else { return [] }
        let plain = try JSONEncoder().encode(environment)
        let box = try AES.GCM.seal(plain, using: key, authenticating: Array(id.text.utf8))
        return Array(box.combined ?? Data())
    }

    func open(_ sealed: [UInt8], of id: JobID) throws -> [String: String] {
        guard !sealed.isEmpty else { return [:] }
        let box = try AES.GCM.SealedBox(combined: sealed)
        let plain = try AES.GCM.open(box, using: key, authenticating: Array(id.text.utf8))
        return try JSONDecoder().decode([String: String].self, from: plain)
    }

    /// Tells bytes apart, and does not tell what they are to who has not the key.
    func fingerprint(of bytes: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: bytes, using: key))
    }

    /// The key in the file, which is made if there is none.
    /// - Returns: nil for a file that is no key, as a crash of an older version could leave an empty one.
    private static func read(_ path: String) throws -> SymmetricKey? {
        if access(path, F_OK) != 0, errno == ENOENT { try make(path, replacing: false) }
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        return bytes.count == 32 ? SymmetricKey(data: bytes) : nil
    }

    private static func unusable(_ path: String) -> SystemError {
        SystemError(
            "the key at \(path) is damaged, and jobs are stored whose environments it sealed. Put the file back from a "
                + "backup; or remove it, which gives these environments up: jobs that wait with one end as "
                + "job_unreadable",
            number: 0)
    }

    /// The file is there whole or not at all, whenever the power fails.
    private static func make(_ path: String, replacing: Bool) throws {
        let draft = "\(path).\(getpid()).part"
        unlink(draft)
        let descriptor = Foundation.open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemError("cannot make \(draft)", number: errno) }
        defer {
            close(descriptor)
            unlink(draft)
        }
        let bytes = SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) }
        let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard written == bytes.count, fsync(descriptor) == 0 else {
            throw SystemError("cannot write \(draft)", number: errno)
        }
        // A link, unlike a rename, never replaces the key that another process made meanwhile.
        let isPlaced = replacing ? rename(draft, path) == 0 : link(draft, path) == 0 || errno == EEXIST
        guard isPlaced else { throw SystemError("cannot make \(path)", number: errno) }
        let folder = Foundation.open(URL(fileURLWithPath: path).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
        guard folder >= 0 else { throw SystemError("cannot open the folder of \(path)", number: errno) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw SystemError("cannot keep \(path)", number: errno) }
    }
}

/// A call to the operating system that failed.
struct SystemError: Error, CustomStringConvertible {
    let text: String
    let number: Int32

    init(_ text: String, number: Int32) {
        self.text = text
        self.number = number
    }

    var description: String { number == 0 ? text : "\(text): \(String(cString: strerror(number)))" }
}
