import MagsModel
import NIOCore
import NodeWire
import Synchronization

/// All readers of output, by the number that the node knows them under.
///
/// A reader that does not read, as behind a pager, keeps its place and loses nothing; its stream is cut off only when
/// somebody else needs the place and it has not read for a minute, or when it has not for an hour.
final class OutputReaders: Sendable {
    private struct State {
        var next: UInt32 = 1
        var open: [ObjectIdentifier: OutputReader] = [:]
        var byNumber: [UInt32: OutputReader] = [:]
        var isConnected = false
        /// The server in front stops: nobody is taken any more.
        var isClosed = false
    }

    private let node: any Node
    private let questions: NodeQuestions
    private let maximum: Int
    private let clock: WallClock
    private let state = Mutex(State())

    static let displaceableMicroseconds: Int64 = 60_000_000
    static let longestStallMicroseconds: Int64 = 3_600_000_000

    init(node: any Node, questions: NodeQuestions, maximum: Int, clock: WallClock) {
        self.node = node
        self.questions = questions
        self.maximum = maximum
        self.clock = clock
    }

    var isConnected: Bool { state.withLock { $0.isConnected } }

    /// - Parameter holder: whose share of the places it takes: a token's id.
    /// - Throws: when there are too many readers, or when a reader that does not wait finds no connection.
    func open(_ job: JobID, isLive: Bool, holder: String) async throws -> OutputReader {
        let reader = OutputReader(
            job: job, isLive: isLive, holder: holder, node: node, questions: questions, clock: clock)
        let (number, displaced) = try state.withLock { state -> (UInt32?, OutputReader?) in
            guard !state.isClosed else { throw Problem.serverStopped }
            guard isLive || state.isConnected else { throw Problem.nodeUnavailable }
            let displaced = try displaceable(for: holder, &state)
            state.open[ObjectIdentifier(reader)] = reader
            return (state.isConnected ? newNumber(for: reader, &state) : nil, displaced)
        }
        if let displaced { await cutOff(displaced) }
        if let number { await attach(reader, as: number) }
        return reader
    }

    /// Whoever closed the reader meanwhile may not have known this number, or was told it before the node was.
    private func attach(_ reader: OutputReader, as number: UInt32) async {
        await reader.attach(as: number)
        let isGone = state.withLock { state in
            guard state.open[ObjectIdentifier(reader)] == nil else { return false }
            state.byNumber[number] = nil
            return true
        }
        if isGone { await node.send(.unfollow(reader: number)) }
    }

    /// Ends those that have not read for so long that nobody will.
    func endStalled() async {
        let now = clock.now()
        let stalled = state.withLock { state in
            state.open.values.filter { $0.stalledMicroseconds(at: now) >= OutputReaders.longestStallMicroseconds }
        }
        for reader in stalled { await cutOff(reader) }
    }

    /// One holder has at most a quarter of the places, so that none shuts out the others.
    /// - Returns: the reader that must go for another one of this holder's; nil when there is room.
    private func displaceable(for holder: String, _ state: inout State) throws -> OutputReader? {
        let share = max(1, maximum / 4)
        let mine = state.open.values.filter { $0.holder == holder }
        let isMineFull = mine.count >= share
        guard isMineFull || state.open.count >= maximum else { return nil }
        let now = clock.now()
        let candidates = isMineFull ? mine : Array(state.open.values)
        let longest = candidates.map { ($0, $0.stalledMicroseconds(at: now)) }.max { $0.1 < $1.1 }
        guard let longest, longest.1 >= OutputReaders.displaceableMicroseconds else {
            let who = isMineFull ? "\(share) readers of this token" : "\(maximum) readers"
            throw Problem(
                429, "too_many_readers", "\(who) follow output already.", hint: "Close one of them.", isRetryable: true)
        }
        state.open[ObjectIdentifier(longest.0)] = nil
        return longest.0
    }

    private func cutOff(_ reader: OutputReader) async {
        let number = state.withLock { state in
            state.open[ObjectIdentifier(reader)] = nil
            return reader.number.flatMap { state.byNumber.removeValue(forKey: $0) == nil ? nil : $0 }
        }
        reader.cutOff()
        if let number { await node.send(.unfollow(reader: number)) }
    }

    func close(_ reader: OutputReader) async {
        let number = state.withLock { state -> UInt32? in
            guard state.open.removeValue(forKey: ObjectIdentifier(reader)) != nil, let number = reader.number else {
                return nil
            }
            state.byNumber[number] = nil
            return number
        }
        if let number { await node.send(.unfollow(reader: number)) }
    }

    /// Asks the node once more for a job that it did not know.
    func restart(_ reader: OutputReader) async {
        let number = state.withLock { state -> UInt32? in
            guard state.open[ObjectIdentifier(reader)] != nil, state.isConnected else { return nil }
            if let old = reader.number { state.byNumber[old] = nil }
            return newNumber(for: reader, &state)
        }
        reader.forgetEnd()
        if let number { await attach(reader, as: number) }
    }

    func reader(_ number: UInt32) -> OutputReader? { state.withLock { $0.byNumber[number] } }

    /// Takes all readers up again on the new connection.
    func connectionOpened() async {
        let again = state.withLock { state in
            state.isConnected = true
            state.byNumber = [:]
            return state.open.values.map { ($0, newNumber(for: $0, &state)) }
        }
        for (reader, number) in again { await attach(reader, as: number) }
    }

    func connectionLost() {
        let readers = state.withLock { state in
            state.isConnected = false
            state.byNumber = [:]
            return Array(state.open.values)
        }
        for reader in readers { reader.detach() }
    }

    /// Ends every reader and takes no other, so that a server that stops waits for none.
    func closeAll() {
        let readers = state.withLock { state in
            state.isClosed = true
            return Array(state.open.values)
        }
        for reader in readers { reader.fail(.serverStopped) }
    }

    private func newNumber(for reader: OutputReader, _ state: inout State) -> UInt32 {
        let number = state.next
        state.next &+= 1
        state.byNumber[number] = reader
        return number
    }
}
