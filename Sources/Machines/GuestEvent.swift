package import GuestWire

/// What a machine's guest says.
package enum GuestEvent: Sendable, Equatable {
    /// `position` is the count of the guest's bytes with this frame: where `adopt` goes on once it is processed.
    case frame(Frame, position: UInt64)
    /// That was all for now, up to this position, replies to requests of the machine's own included. Once the handler has
    /// returned from this the guest may forget what came before: what it meant, and the position, have to be kept by then.
    case caughtUp(position: UInt64)
    /// Nothing follows: the machine is of no more use and has to be discarded.
    case lost(GuestLoss)
}

/// Why a guest cannot be reached any more.
package enum GuestLoss: Error, Equatable, Sendable, CustomStringConvertible {
    /// QEMU has ended or has closed the wire.
    case ended
    /// The guest sent what the wire does not allow.
    case nonsense(String)
    /// The guest does not take what it is sent.
    case stalled
    /// No answer in time.
    case silent
    /// We closed it.
    case discarded

    package var description: String {
        switch self {
        case .ended: "The machine has ended."
        case .nonsense(let what): "The guest broke the wire's rules: \(what)."
        case .stalled: "The guest does not take what it is sent."
        case .silent: "The guest did not answer in time."
        case .discarded: "The machine was discarded."
        }
    }
}
