import MagsAPI
import MagsClient
import MagsModel

/// What `doctor` sees from the user's side, followed by what the server says of itself.
///
/// Each finding builds on the one before: without an address no latency, without a token no server's doctor.
struct ClientCheckup {
    let environment: [String: String]
    /// For each answer of the server's.
    var patience = Duration.seconds(10)

    func findings() async -> [Finding] {
        let configuration: Configuration
        do {
            configuration = try Configuration.load(environment: environment)
        } catch {
            return [Finding(.bad, "configuration", error.message, remedy: error.hint)]
        }
        var findings = [self.configuration(configuration), way(configuration)]
        let client = MagsClient(address: configuration.address, token: configuration.token, retries: .never)
        do {
            findings += try await reach(client)
        } catch {
            return findings + [bad("server", error)]
        }
        guard configuration.token != nil else {
            return findings + [bad("token", MagsError.notLoggedIn(file: configuration.filePath))]
        }
        do {
            let identity = try await answer(of: client) { try await client.whoami() }
            let text = "'\(identity.tokenName)' from \(configuration.tokenSource) is good, for \(identity.name)"
            findings.append(Finding(.good, "token", text))
        } catch {
            return findings + [bad("token", error)]
        }
        do {
            return findings + (try await answer(of: client) { try await client.doctor().findings })
        } catch {
            return findings + [bad("server's doctor", error)]
        }
    }

    private func configuration(_ configuration: Configuration) -> Finding {
        guard let path = configuration.filePath else {
            return Finding(.weaker, "configuration", "no file: neither HOME nor MAGS_CONFIG is set")
        }
        guard let mode = DiskFile.mode(of: path) else {
            let fromVariables = configuration.token != nil
            return Finding(
                fromVariables ? .good : .weaker, "configuration", "\(path) does not exist",
                remedy: fromVariables ? nil : "run `mags login`")
        }
        guard mode & 0o077 == 0 else {
            return Finding(
                .bad, "configuration", "\(path) can be read by others (mode \(String(mode, radix: 8)))",
                remedy: "run `chmod 600 \(path)`")
        }
        return Finding(.good, "configuration", "\(path), readable by its owner only")
    }

    private func way(_ configuration: Configuration) -> Finding {
        let text = "\(configuration.address), from \(configuration.addressSource)"
        if configuration.address.isPrivate { return Finding(.good, "address", text) }
        return Finding(
            .weaker, "address", "\(text): the token travels unencrypted",
            remedy: "use https:// for a server on another host")
    }

    /// Asks twice: the second time over the connection that stands.
    private func reach(_ client: MagsClient) async throws -> [Finding] {
        let clock = ContinuousClock()
        let start = clock.now
        let health = try await answer(of: client) { try await client.health() }
        let connected = clock.now
        _ = try await answer(of: client) { try await client.health() }
        let asked = clock.now
        let text =
            "answers in \(milliseconds(asked - connected)) ms, with a new connection \(milliseconds(connected - start)) ms"
        var findings = [
            health.status == "ok"
                ? Finding(.good, "server", text)
                : Finding(.bad, "server", "\(text), but says '\(health.status)'", remedy: "see the server's log")
        ]
        if let version = health.version {
            let isSame = version == MagsClient.version
            findings.append(
                Finding(
                    isSame ? .good : .weaker, "version", "mags \(MagsClient.version), server \(version)",
                    remedy: isSame ? nil : "build both from the same checkout"))
        }
        return findings
    }

    private func answer<Reply: Sendable>(
        of client: MagsClient, _ call: @escaping @Sendable () async throws -> Reply
    ) async throws -> Reply {
        let error = MagsError(
            "timed_out", "\(client.address) does not answer within \(patience.components.seconds) s",
            hint: "see the server's log ($MAGS_HOME/log/magsd.log); `script/down` and `script/up` start it anew. Or is "
                + "something else at this address?")
        return try await Deadline.within(patience, orThrow: error, call)
    }

    private func milliseconds(_ duration: Duration) -> String {
        let tenths = Int(duration / .microseconds(100))
        return "\(tenths / 10).\(tenths % 10)"
    }

    private func bad(_ subject: String, _ error: any Error) -> Finding {
        guard let error = error as? MagsError else { return Finding(.bad, subject, "\(error)") }
        return Finding(.bad, subject, error.message, remedy: error.hint)
    }
}
