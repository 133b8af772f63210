package import HostSystem
import MagsModel
import QMP

/// Why there is no machine. `code` is a stable word, `message` says what happened and why, `hint` what to do next.
package struct MachineError: Error, Equatable, Sendable, CustomStringConvertible {
    package var code: String
    package var message: String
    package var hint: String?

    package init(_ code: String, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    package init(_ error: HostError) { self.init(error.code, error.message, hint: error.hint) }

    /// Anything else that came up while `doing` something.
    init(_ doing: String, _ error: any Error) {
        switch error {
        case let error as MachineError: self = error
        case let error as HostError: self.init(error)
        case let error as QMPError: self.init("qemu_failed", "\(doing): \(error.message)")
        case is CancellationError: self = .cancelled
        default: self.init("machine_failed", "\(doing): \(error)")
        }
    }

    package var description: String { hint.map { "\(message) \($0)" } ?? message }

    static func inUse(_ id: MachineID) -> MachineError {
        MachineError("machine_in_use", "The machine \(id.text) is in use already.")
    }

    static let cancelled = MachineError("cancelled", "Nobody waits for this machine any more.")
    static let shuttingDown = MachineError(
        "shutting_down", "The host is shutting down.", hint: "Try again in a moment.")
}
