import Foundation
import MagsModel
import Synchronization

/// Looks names up with the system's resolver, which blocks for as long as a name server keeps silent: on few threads of its
/// own, so that nothing else waits behind it. A look-up that is given up frees its caller at once; its thread when the
/// resolver returns.
final class NameLookups: Sendable {
    private struct State {
        var next = 0
        var queue: [Int] = []
        var callers: [Int: (host: String, CheckedContinuation<[String], any Error>)] = [:]
        var threads = 0
    }

    private let maximumThreads: Int
    private let maximumQueue: Int
    private let resolve: @Sendable (String) -> [String]
    private let state = Mutex(State())

    /// - Parameter resolve: the addresses of a name; may block.
    init(threads: Int = 4, queue: Int = 32, resolve: @escaping @Sendable (String) -> [String] = NameLookups.addresses) {
        maximumThreads = threads
        maximumQueue = queue
        self.resolve = resolve
    }

    /// - Throws: 429 when too many wait; `CancellationError` once the caller is cancelled.
    func addresses(of host: String) async throws -> [String] {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { add(number, host, $0) }
        } onCancel: {
            state.withLock { state in
                state.queue.removeAll { $0 == number }
                return state.callers.removeValue(forKey: number)
            }?.1.resume(throwing: CancellationError())
        }
    }

    private func add(_ number: Int, _ host: String, _ caller: CheckedContinuation<[String], any Error>) {
        let isNewThreadWanted = state.withLock { state -> Bool in
            // Here, since a cancellation before this found nobody to resume.
            if Task.isCancelled {
                caller.resume(throwing: CancellationError())
                return false
            }
            guard state.threads < maximumThreads || state.queue.count < maximumQueue else {
                caller.resume(throwing: NameLookups.tooMany)
                return false
            }
            state.callers[number] = (host, caller)
            state.queue.append(number)
            guard state.threads < maximumThreads else { return false }
            state.threads += 1
            return true
        }
        if isNewThreadWanted { Thread.detachNewThread { self.work() } }
    }

    static let tooMany = Problem(
        429, "too_many_fetches", "Too many scripts are being fetched already.", hint: "Try again later.",
        isRetryable: true)

    /// A thread's life: until nobody waits.
    private func work() {
        while true {
            let next = state.withLock { state -> (Int, String)? in
                guard !state.queue.isEmpty else {
                    state.threads -= 1
                    return nil
                }
                let number = state.queue.removeFirst()
                return (number, state.callers[number]?.host ?? "")
            }
            guard let (number, host) = next else { return }
            let found = resolve(host)
            state.withLock { $0.callers.removeValue(forKey: number) }?.1.resume(returning: found)
        }
    }

    static let addresses: @Sendable (String) -> [String] = { host in
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [String] = []
        var next = list
        while let entry = next {
            NumericAddress.text(entry.pointee.ai_addr, entry.pointee.ai_addrlen).map { found.append($0) }
            next = entry.pointee.ai_next
        }
        return found
    }
}

enum NumericAddress {
    /// An address in its usual notation, without a port.
    static func text(_ address: UnsafePointer<sockaddr>?, _ length: socklen_t) -> String? {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(address, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else {
            return nil
        }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// All that this host has, public ones too: what listens there may be for this host alone.
    static func ofThisHost() -> Set<String> {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var found: Set<String> = []
        var next = list
        while let entry = next {
            let length: Int? =
                switch entry.pointee.ifa_addr?.pointee.sa_family {
                case sa_family_t(AF_INET): MemoryLayout<sockaddr_in>.size
                case sa_family_t(AF_INET6): MemoryLayout<sockaddr_in6>.size
                default: nil
                }
            if let length, let text = text(entry.pointee.ifa_addr, socklen_t(length)) { found.insert(text) }
            next = entry.pointee.ifa_next
        }
        return found
    }
}
