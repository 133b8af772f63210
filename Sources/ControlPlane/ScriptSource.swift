import AsyncHTTPClient
import Foundation
import MagsModel
import NIOCore
import NIOHTTP1

/// Fetches the script of a job of type `url`.
///
/// The name is resolved here, its addresses are judged, and the connection goes to the very address that was judged:
/// what a name server says a moment later cannot lead anywhere else. Each redirect begins anew.
package struct ScriptSource: Sendable {
    private let allowsPrivateAddresses: Bool
    private let limit: Duration
    private let clock: WallClock
    private let lookups: NameLookups
    private let places: Places
    private static let maximumRedirects = 5
    /// Fetches at a time, each of at most a script's size.
    private static let maximumFetches = 16

    package init(allowsPrivateAddresses: Bool = false, limit: Duration = .seconds(10), clock: WallClock = .system) {
        self.init(
            allowsPrivateAddresses: allowsPrivateAddresses, limit: limit, clock: clock, lookups: NameLookups(),
            places: Places(ScriptSource.maximumFetches))
    }

    init(allowsPrivateAddresses: Bool, limit: Duration, clock: WallClock, lookups: NameLookups, places: Places) {
        self.allowsPrivateAddresses = allowsPrivateAddresses
        self.limit = limit
        self.clock = clock
        self.lookups = lookups
        self.places = places
    }

    package func fetch(_ address: String) async throws -> String {
        try await places.hold(or: NameLookups.tooMany) {
            guard let text = try await withDeadline(limit, clock, { try await follow(address) }) else {
                throw ScriptSource.failed("it did not answer within \(limit).")
            }
            return try SubmissionRules.checkedScript(text)
        }
    }

    private func follow(_ address: String) async throws -> String {
        var next = address
        for _ in 0...ScriptSource.maximumRedirects {
            switch try await ask(try target(next)) {
            case .script(let text): return text
            case .redirect(let location): next = location
            }
        }
        throw ScriptSource.failed("it redirects more than \(ScriptSource.maximumRedirects) times.")
    }

    private struct Target {
        var url: URL
        var host: String
        var port: Int
    }

    private enum Answer {
        case script(String)
        case redirect(String)
    }

    private func target(_ address: String) throws(Problem) -> Target {
        guard let url = URL(string: address), let scheme = url.scheme?.lowercased(),
            scheme == "http" || scheme == "https", var host = url.host(percentEncoded: false), !host.isEmpty,
            url.user() == nil, url.password() == nil
        else {
            throw Problem.invalid("script", "must be an http or https address without a user when type is \"url\".")
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        return Target(url: url, host: host, port: url.port ?? (scheme == "https" ? 443 : 80))
    }

    private func ask(_ target: Target) async throws -> Answer {
        let chosen = try await resolve(target.host, port: target.port)
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: .seconds(5), read: .seconds(10))
        if chosen != target.host { configuration.dnsOverride = [target.host: chosen] }
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let answer = try await answer(of: client, to: target)
            try await client.shutdown()
            return answer
        } catch {
            try? await client.shutdown()
            if error is Problem || error is CancellationError { throw error }
            throw ScriptSource.failed("\(error)")
        }
    }

    private func answer(of client: HTTPClient, to target: Target) async throws -> Answer {
        var request = HTTPClientRequest(url: target.url.absoluteString)
        request.headers.add(name: "user-agent", value: MagsVersion.userAgent)
        let response = try await client.execute(request, timeout: .seconds(10))
        switch response.status.code {
        case 200:
            do {
                let body = try await response.body.collect(upTo: Limits.scriptBytes)
                guard let text = String(validating: body.readableBytesView, as: UTF8.self) else {
                    throw ScriptSource.failed("what it sent is not text in UTF-8.")
                }
                return .script(text)
            } catch is NIOTooManyBytesError {
                throw ScriptSource.failed("it sent more than \(Limits.scriptBytes >> 20) MiB.")
            }
        case 301, 302, 303, 307, 308:
            guard let location = response.headers.first(name: "location"),
                let url = URL(string: location, relativeTo: target.url)
            else { throw ScriptSource.failed("it redirects to nowhere.") }
            return .redirect(url.absoluteString)
        default: throw ScriptSource.failed("it answered \(response.status.code).")
        }
    }

    /// The address to connect to: the first of the name's that may be used.
    func resolve(_ host: String, port: Int) async throws -> String {
        let found = try await lookups.addresses(of: host)
        guard !found.isEmpty else { throw ScriptSource.failed("'\(host.prefix(253))' has no address.") }
        let own = allowsPrivateAddresses ? [] : NumericAddress.ofThisHost()
        guard let chosen = found.first(where: { allowsPrivateAddresses || ScriptSource.mayUse($0, own: own) }) else {
            throw Problem(
                400, "script_address_forbidden", "The script's address leads into a private network or to this server.",
                hint: "The server's administrator can allow it with `magsd serve --private-script-addresses`.")
        }
        return chosen
    }

    /// - Parameter own: this host's addresses: what it serves may be for itself alone, though the address be public.
    static func mayUse(_ address: String, own: Set<String>) -> Bool {
        AddressRules.isPublic(address) && !own.contains(address)
    }

    private static func failed(_ why: String) -> Problem {
        Problem(400, "script_fetch_failed", "The script could not be fetched: \(why)", isRetryable: true)
    }
}
