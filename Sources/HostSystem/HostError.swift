/// Something that the host refused. `code` is a stable word, `message` says what happened and why, `hint` what to do next.
package struct HostError: Error, Sendable, Equatable, CustomStringConvertible {
    package var code: String
    package var message: String
    package var hint: String?

    package init(_ code: String, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    package var description: String { hint.map { "\(message) \($0)" } ?? message }
}
