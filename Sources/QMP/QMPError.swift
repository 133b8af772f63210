/// Why a monitor, or one command of it, failed.
package struct QMPError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case unreachable
        /// QEMU has closed the connection, or we have.
        case closed
        case timedOut
        case protocolViolation
        /// QEMU refused the command; the message is its own.
        case refused
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
