package import MagsModel
package import Store

/// What a caller wants to run in a job's machine, its types checked and nothing else.
package struct ExecOrder: Sendable {
    package var owner: Owner
    /// A job's id, its name or its workspace's name.
    package var job: String
    package var command: String
    package var timeoutSeconds: Int?
    package var directory: String?
    package var environment: [String: String] = [:]
    /// The caller's name for this order: given again, it is the same exec and not another.
    package var key: String?

    package init(owner: Owner, job: String, command: String) {
        self.owner = owner
        self.job = job
        self.command = command
    }
}

extension ExecOrder {

    static let keyBytes = 255

    /// - Throws: when the order breaks a rule. That of its environment comes with the job's.
    package func check() throws(Problem) {
        guard command.utf8.count <= Limits.scriptBytes else {
            throw Problem.invalid("command", "is longer than \(Limits.scriptBytes >> 20) MiB.")
        }
        guard command.contains(where: { !$0.isWhitespace }) else { throw Problem.invalid("command", "is empty.") }
        guard !command.utf8.contains(0) else { throw Problem.invalid("command", "contains a NUL byte.") }
        if let timeoutSeconds, !(1...Limits.maximumTimeoutSeconds).contains(timeoutSeconds) {
            throw Problem.invalid("timeout", "must be 1 to \(Limits.maximumTimeoutSeconds) seconds (30 days).")
        }
        if let directory {
            guard directory.hasPrefix("/"), !directory.utf8.contains(0),
                directory.utf8.count <= Limits.directoryBytes
            else {
                throw Problem.invalid(
                    "cwd", "must be an absolute path of at most \(Limits.directoryBytes) bytes, without NUL.")
            }
        }
        if let key, !(1...ExecOrder.keyBytes).contains(key.utf8.count) {
            throw Problem.invalid("Idempotency-Key", "must have 1 to \(ExecOrder.keyBytes) bytes.")
        }
        if let setting = environment.keys.first(where: { $0.hasPrefix("__MAGS_") }) {
            throw Problem.invalid(
                "environment.\(setting.prefix(64))", "is a setting of a machine, and this one runs already.")
        }
        _ = try EnvironmentRules.check(environment)
    }

    /// The same for the same order, and for no other.
    var canonicalBytes: [UInt8] {
        let values = environment.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
        let texts = [command, timeoutSeconds.map { "\($0)" } ?? "", directory ?? ""] + values
        return Array(texts.joined(separator: "\0").utf8)
    }
}
