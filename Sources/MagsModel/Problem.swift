/// An error as a person sees it: what happened, why and what to do next, behind a stable word for programs.
public struct Problem: Error, Equatable, Sendable, CustomStringConvertible {
    /// The HTTP status that this is told with.
    public var status: Int
    /// Stable, lower case with underscores: part of the API.
    public var code: String
    public var message: String
    /// What to do next, when it is not plain from the message.
    public var hint: String?
    public var isRetryable: Bool

    public init(_ status: Int, _ code: String, _ message: String, hint: String? = nil, isRetryable: Bool = false) {
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.isRetryable = isRetryable
    }

    public var description: String { hint.map { "\(message) \($0)" } ?? message }
}
