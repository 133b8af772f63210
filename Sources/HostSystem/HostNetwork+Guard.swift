import Logging
package import MagsModel

/// Whoever loads a firewall of their own often flushes all there is: without our table the host would be open to the
/// machines, and they without a way out. So it is put back, whatever was taken from it, until `remove`.
extension HostNetwork {
    struct RuleGuard {
        var changes: RuleWatch
        /// The table, as `nft` lists it.
        var whole: String
        var task: Task<Void, Never>?
        /// Why it is not there although it should be.
        var loss: HostError?
    }

    private static let pause = Duration.seconds(5)

    package func prepareGuarded() async throws(HostError) {
        // Before there is anything to change, so that no change is missed.
        let changes = try await RuleWatch.begin(in: namespace)
        do throws(HostError) {
            try await prepare()
            ruleGuard = RuleGuard(changes: changes, whole: try await loadedRules())
        } catch {
            changes.stop()
            throw error
        }
        ruleGuard?.task = Task { await self.keepRules(changes) }
    }

    /// What is wrong with the rules now; nil when they stand.
    package func ruleFinding() -> Finding? {
        ruleGuard?.loss.map { loss in
            Finding(
                .bad, "network", "The host's rules for machines are gone and cannot be put back: \(loss.message)",
                remedy: "Mend that, or stop the server: machines may reach this host.")
        }
    }

    func endGuard() async {
        guard let ending = ruleGuard else { return }
        ruleGuard = nil
        ending.changes.stop()
        ending.task?.cancel()
        await ending.task?.value
    }

    private func keepRules(_ changes: RuleWatch) async {
        while !Task.isCancelled {
            do throws(HostError) {
                guard try await changes.next() else { return }
            } catch {
                logger.error("the machines' rules cannot be watched now", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: HostNetwork.pause)
            }
            while !Task.isCancelled, await !putRulesBack() { try? await Task.sleep(for: HostNetwork.pause) }
        }
    }

    /// - Returns: whether they stand.
    private func putRulesBack() async -> Bool {
        guard let whole = ruleGuard?.whole else { return true }
        if let listing = await listedRules(), HostNetwork.rules(whole, stand: listing) {
            ruleGuard?.loss = nil
            return true
        }
        do throws(HostError) {
            try await loadRules()
            logger.warning("the machines' rules were changed and are back", metadata: ["table": "\(rules.tableName)"])
            ruleGuard?.loss = nil
            return true
        } catch {
            logger.error("the machines' rules are gone", metadata: ["error": "\(error)"])
            ruleGuard?.loss = error
            return false
        }
    }

    /// Whether all lines of a listing are there, in their order. What root has added to them on purpose stays.
    static func rules(_ whole: String, stand listing: String) -> Bool {
        var missing = whole.split(separator: "\n")[...]
        for line in listing.split(separator: "\n") where line == missing.first { missing.removeFirst() }
        return missing.isEmpty
    }

    /// The table as it was loaded, loaded anew where somebody was faster.
    private func loadedRules() async throws(HostError) -> String {
        for _ in 0..<5 {
            if let listing = await listedRules(), listing.contains("chain leave") { return listing }
            try await loadRules()
        }
        throw HostError("rules_removed", "somebody removes the rules of the table \(rules.tableName) at once.")
    }

    private func loadRules() async throws(HostError) {
        try await HostTool.run("nft", ["-f", "-"], input: rules.host, in: namespace)
    }

    private func listedRules() async -> String? {
        try? await HostTool.run("nft", ["-s", "list", "table", "ip", rules.tableName], in: namespace)
    }
}
