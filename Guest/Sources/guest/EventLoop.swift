import CGuest

/// The one loop of the program. Handlers run one after another and never wait.
final class EventLoop {
    typealias Handler = (UInt32) -> Void

    private let epoll = epoll_create1(Int32(O_CLOEXEC))
    private var handlers: [Int32: Handler] = [:]

    func watch(_ descriptor: Int32, _ events: UInt32, _ handler: @escaping Handler) {
        handlers[descriptor] = handler
        _ = guest_epoll_set(epoll, descriptor, events, 1)
    }

    func change(_ descriptor: Int32, _ events: UInt32) { _ = guest_epoll_set(epoll, descriptor, events, 0) }

    /// Before the descriptor is closed, and whenever it is of no interest: a pipe whose other end is gone reports that
    /// without end, asked or not.
    func forget(_ descriptor: Int32) {
        guard handlers.removeValue(forKey: descriptor) != nil else { return }
        _ = guest_epoll_drop(epoll, descriptor)
    }

    /// Handles what is ready, or waits for it, at most for `milliseconds` (-1: for ever).
    func turn(waiting milliseconds: Int32) {
        var descriptors = [Int32](repeating: -1, count: 32)
        var events = [UInt32](repeating: 0, count: 32)
        let count = guest_epoll_wait(epoll, &descriptors, &events, 32, milliseconds)
        guard count > 0 else { return }
        for index in 0..<Int(count) { handlers[descriptors[index]]?(events[index]) }
    }
}
