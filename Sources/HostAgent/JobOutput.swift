package import GuestWire
import MagsModel
import NodeWire
import Synchronization

/// A job's output while the node holds it: the spool, those who follow it, and how much more the guest may send.
///
/// The first `Limits.logBytes` are the log and always kept. Beyond it a window follows the readers that are attached,
/// and the guest is held by credit; with no reader the rest is counted and dropped. A reader that was cut off has
/// `holdSeconds` to come back before that happens, and so has every reader when a host agent takes over. What readers have taken of the window stays for `keptBehind` more,
/// since it may still be on its way to them when they are cut off; the window always begins where a record does. All
/// methods may be called from any thread and return at once.
package final class JobOutput: Sendable {
    /// A reader: the connection it came by and its number there.
    package struct Reader: Hashable, Sendable {
        let connection: Int
        let number: UInt32
    }

    package enum Delivery: Sendable {
        /// Bytes of whole or part records, and where the first stands.
        case records([UInt8], offset: UInt64)
        /// What comes next begins here: what was before is kept no longer.
        case skipped(to: UInt64, stdout: UInt64, stderr: UInt64)
        case end
        /// What comes next cannot be read, nor anything behind it, or could not be kept.
        case unreadable
    }

    package enum Stream: Sendable { case stdout, stderr }

    static let windowBytes: UInt64 = 8 << 20
    static let keptBehind: UInt64 = 8 << 20
    static let markDistance: UInt64 = 64 * 1024
    static let holdSeconds = 15.0
    /// Of records that are not on disk yet.
    private static let maximumPending: UInt64 = 1 << 20
    private static let maximumReaderCredit = 1 << 30

    /// Names one time of waiting for a reader, since another may begin before its end.
    package struct Hold: Equatable, Sendable { let number: Int }

    private struct Follower {
        var sent: UInt64
        var consumed: UInt64
        var credit: Int
        let deliver: @Sendable (Delivery) -> Void
    }

    /// Where a record of the window begins, and what the streams have there.
    private struct Mark {
        let offset: UInt64
        let stdout: UInt64
        let stderr: UInt64
    }

    private struct State {
        let spool: Spool
        /// Of this process's records, in order, some way apart.
        var marks: [Mark] = []
        var followers: [Reader: Follower] = [:]
        var hold: Hold?
        var lastHold = 0
        var hasEnded = false
        var allowance: Allowance
        var grant: (@Sendable (Credit) -> Void)?
        /// To be told to `grant` once the lock is free.
        var granted: Credit?

        init(_ spool: Spool) {
            self.spool = spool
            allowance = Allowance(keeping: spool.kept)
        }

        mutating func beginHold() -> Hold {
            lastHold += 1
            let new = Hold(number: lastHold)
            hold = new
            return new
        }
    }

    private let state: Mutex<State>
    private let now: @Sendable () -> UInt64

    /// - Parameter now: microseconds since 1970.
    package init(folder: String, now: @escaping @Sendable () -> UInt64) throws {
        state = Mutex(State(try Spool(folder: folder)))
        self.now = now
    }

    /// Under the lock; what that grants is told behind it. Whoever is told may come back on the same thread: a credit that
    /// cannot be written ends the machine, and brings what it still had to say.
    private func locked<Value: Sendable>(_ body: @Sendable (inout State) throws -> Value) rethrows -> Value {
        let (value, credit, grant) = try state.withLock { state in
            let value = try body(&state)
            defer { state.granted = nil }
            return (value, state.granted, state.grant)
        }
        if let credit { grant?(credit) }
        return value
    }

    package var progress: SpoolProgress { state.withLock { $0.spool.progress } }

    /// Who is told how far the guest may go.
    package func onGrant(_ grant: @escaping @Sendable (Credit) -> Void) { state.withLock { $0.grant = grant } }

    /// Keeps (or counts) bytes of the script, at the next `commit`; `received` is the wire's position behind them.
    /// - Throws: `GuestLoss` for more than the guest was allowed.
    package func accept(_ bytes: [UInt8], of stream: Stream, received: UInt64) throws {
        try locked { state in
            let before = state.spool.progress
            guard received > before.received else { return }
            let position = stream == .stdout ? before.stdoutCount : before.stderrCount
            try state.allowance.check(stream, upTo: position + UInt64(bytes.count))
            let isWithinLog = before.logEnd == 0
            if isWithinLog || !state.followers.isEmpty || state.hold != nil {
                if !isWithinLog { mark(before, &state) }
                var encoded: [UInt8] = []
                OutputRecord(
                    stream: stream == .stdout ? .stdout : .stderr, time: now(), position: position, bytes: bytes
                ).encode(into: &encoded)
                state.spool.append(encoded) { progress in
                    progress.count(bytes.count, stream, received)
                    progress.weight += UInt64(bytes.count + Limits.logRecordOverhead)
                    if isWithinLog, progress.weight >= UInt64(Limits.logBytes) {
                        progress.logEnd = progress.length
                        progress.windowStart = progress.length
                        (progress.windowStdout, progress.windowStderr) = (progress.stdoutCount, progress.stderrCount)
                    }
                }
            } else {
                state.spool.append([]) { progress in
                    progress.count(bytes.count, stream, received)
                    progress.dropped += UInt64(bytes.count)
                }
            }
            let progress = state.spool.progress
            if progress.length - state.spool.kept.length >= JobOutput.maximumPending { try commit(&state) }
        }
    }

    /// A frame without output is done with, up to this position of the wire, at the next `commit`.
    package func advance(received: UInt64) {
        state.withLock { state in
            guard received > state.spool.progress.received else { return }
            state.spool.append([]) { $0.received = received }
        }
    }

    /// The script runs.
    /// - Returns: false when that was known.
    package func start(received: UInt64) -> Bool {
        state.withLock { state in
            guard !state.spool.progress.hasStarted else { return false }
            state.spool.append([]) { ($0.hasStarted, $0.received) = (true, received) }
            return true
        }
    }

    /// All that came until now is on disk when this returns, and on its way to the followers.
    package func commit() throws { try locked { try commit(&$0) } }

    private func commit(_ state: inout State) throws {
        try state.spool.commit()
        deliver(&state)
        grantIfRoom(&state)
    }

    /// The guest goes on under another host agent: what it was granted last may never have reached it, and its readers
    /// may be on their way.
    package func resume() -> Hold {
        locked { state in
            state.granted = state.allowance.credit
            return state.beginHold()
        }
    }

    /// A line of the platform's own in the job's log.
    package func note(_ text: String) throws {
        try locked { state in
            var encoded: [UInt8] = []
            OutputRecord(stream: .system, time: now(), position: 0, bytes: Array((text + "\n").utf8))
                .encode(into: &encoded)
            state.spool.append(encoded) { _ in }
            try commit(&state)
        }
    }

    /// Nothing more will come. Followers get the rest and the end, or, when this throws because the last of it cannot be
    /// kept, that it is not all.
    package func finish() throws {
        defer {
            state.withLock { state in
                state.hasEnded = true
                deliver(&state)
            }
        }
        try commit()
        try state.withLock { try $0.spool.make() }
        let lost = progress.dropped
        if lost > 0 {
            try note("The log is full (\(Limits.logBytes >> 20) MiB); \(lost) more bytes of output were not kept.")
        }
    }

    /// The output of a job that ended before this process began.
    package func markEnded() { state.withLock { $0.hasEnded = true } }

    package func follow(
        _ reader: Reader, from: UInt64, credit: Int, deliver delivery: @escaping @Sendable (Delivery) -> Void
    ) {
        state.withLock { state in
            state.hold = nil
            // Beyond the end nobody can have been; reckoning with it would let the spool grow.
            let from = min(from, state.spool.kept.length)
            state.followers[reader] = Follower(
                sent: from, consumed: from, credit: max(0, min(credit, JobOutput.maximumReaderCredit)),
                deliver: delivery)
            deliver(&state)
        }
    }

    package func consume(_ reader: Reader, bytes: Int) {
        locked { state in
            guard var follower = state.followers[reader], bytes > 0 else { return }
            follower.credit += min(bytes, JobOutput.maximumReaderCredit - follower.credit)
            follower.consumed += min(UInt64(bytes), follower.sent - follower.consumed)
            state.followers[reader] = follower
            releaseConsumed(&state)
            deliver(&state)
            grantIfRoom(&state)
        }
    }

    /// The reader is gone. `wasCut`: it did not say so, and may come back.
    /// - Returns: the hold that now lasts for it until `endHold`.
    package func unfollow(_ reader: Reader, wasCut: Bool) -> Hold? {
        locked { state in
            guard state.followers.removeValue(forKey: reader) != nil else { return nil }
            let mayComeBack = wasCut && state.followers.isEmpty
            if mayComeBack, !state.hasEnded { return state.beginHold() }
            if !mayComeBack { releaseConsumed(&state) }
            grantIfRoom(&state)
            return nil
        }
    }

    /// One that was ended before, because a reader came, is of no more meaning.
    package func endHold(_ hold: Hold) {
        locked { state in
            guard state.hold == hold else { return }
            state.hold = nil
            grantIfRoom(&state)
        }
    }

    package var isFollowed: Bool { state.withLock { !$0.followers.isEmpty } }

    /// Sends each follower what it has credit for. Under the lock, so that every follower sees the records in order;
    /// `deliver` only queues.
    private func deliver(_ state: inout State) {
        let progress = state.spool.kept
        for (reader, var follower) in state.followers {
            var isUnreadable = false
            while follower.credit > 0 {
                if progress.logEnd > 0, follower.sent >= progress.logEnd, follower.sent < progress.windowStart {
                    follower.sent = progress.windowStart
                    follower.consumed = max(follower.consumed, follower.sent)
                    follower.deliver(
                        .skipped(
                            to: follower.sent, stdout: progress.windowStdout, stderr: progress.windowStderr))
                }
                var limit = min(follower.credit, 256 * 1024)
                if follower.sent < progress.logEnd { limit = min(limit, Int(progress.logEnd - follower.sent)) }
                guard follower.sent < progress.length else { break }
                guard let bytes = try? state.spool.read(from: follower.sent, limit: limit), !bytes.isEmpty else {
                    isUnreadable = true
                    break
                }
                follower.deliver(.records(bytes, offset: follower.sent))
                follower.sent += UInt64(bytes.count)
                follower.credit -= bytes.count
            }
            if isUnreadable {
                follower.deliver(.unreadable)
                state.followers[reader] = nil
            } else if state.hasEnded, follower.sent >= progress.length {
                follower.deliver(state.spool.hasFailed ? .unreadable : .end)
                state.followers[reader] = nil
            } else {
                state.followers[reader] = follower
            }
        }
    }

    private func mark(_ progress: SpoolProgress, _ state: inout State) {
        if let last = state.marks.last, progress.length < last.offset + JobOutput.markDistance { return }
        state.marks.append(
            Mark(offset: progress.length, stdout: progress.stdoutCount, stderr: progress.stderrCount))
    }

    private func releaseConsumed(_ state: inout State) {
        let progress = state.spool.progress
        guard progress.logEnd > 0, state.hold == nil else { return }
        let end: Mark
        if let slowest = state.followers.values.map(\.consumed).min() {
            let limit = slowest - min(slowest, JobOutput.keptBehind)
            guard let last = state.marks.last(where: { $0.offset <= limit }) else { return }
            guard last.offset >= progress.windowStart + (1 << 20) else { return }
            end = last
        } else {
            end = Mark(offset: progress.length, stdout: progress.stdoutCount, stderr: progress.stderrCount)
        }
        state.marks.removeAll { $0.offset < end.offset }
        // A failure stays: the guest's next output meets it and ends the job.
        try? state.spool.releaseWindow(to: end.offset, stdout: end.stdout, stderr: end.stderr)
    }

    private func grantIfRoom(_ state: inout State) {
        let progress = state.spool.kept
        let isWindowed = progress.logEnd > 0 && (!state.followers.isEmpty || state.hold != nil)
        if isWindowed {
            let slowest =
                state.followers.values.map(\.consumed).min() ?? progress.windowStart + JobOutput.keptBehind
            let unread = progress.length - min(progress.length, max(slowest, progress.logEnd))
            guard unread < JobOutput.windowBytes else { return }
        }
        if state.allowance.extend(keeping: progress) { state.granted = state.allowance.credit }
    }
}

extension SpoolProgress {
    fileprivate mutating func count(_ bytes: Int, _ stream: JobOutput.Stream, _ position: UInt64) {
        received = position
        switch stream {
        case .stdout: stdoutCount += UInt64(bytes)
        case .stderr: stderrCount += UInt64(bytes)
        }
    }
}
