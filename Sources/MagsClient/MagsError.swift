/// An error of the SDK or the server: what happened and what to do next, behind a stable word for programs.
public struct MagsError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Stable, lower case with underscores. The server's own words, and of the SDK: `not_logged_in`, `unreachable`,
    /// `connection_lost`, `timed_out`, `bad_reply`, `bad_address`, `bad_configuration`, `file_unreadable`,
    /// `file_unwritable`.
    public var code: String
    public var message: String
    /// What to do next, when it is not plain from the message.
    public var hint: String?
    /// True when the same call may succeed later.
    public var isRetryable: Bool
    /// The HTTP status, when the server answered.
    public var status: Int?
    /// The server's name for the failed request, to be found in its log.
    public var requestID: String?

    public init(
        _ code: String, _ message: String, hint: String? = nil, isRetryable: Bool = false, status: Int? = nil,
        requestID: String? = nil
    ) {
        self.code = code
        self.message = message
        self.hint = hint
        self.isRetryable = isRetryable
        self.status = status
        self.requestID = requestID
    }

    public var description: String { hint.map { "\(message) (\($0))" } ?? message }
}

extension MagsError {
    package static func notLoggedIn(file: String?) -> MagsError {
        MagsError(
            "not_logged_in", "not logged in: no API token in MAGS_API_TOKEN or \(file ?? "a configuration file")",
            hint: "run `mags login`; `script/up` in a checkout starts a server of your own and logs in")
    }

    static func unreachable(_ address: ServerAddress, _ reason: String) -> MagsError {
        MagsError(
            "unreachable", "cannot reach the Mags server at \(address): \(reason)",
            hint: "is it running? `script/up` starts one, `mags doctor` looks closer, MAGS_API_URL names another",
            isRetryable: true)
    }

    static func badReply(_ what: String, status: Int? = nil) -> MagsError {
        MagsError(
            "bad_reply", "the server's answer is not one of Mags: \(what)",
            hint: "check that the address is the API's", status: status)
    }
}
