package import MagsModel
package import NodeWire
import Store

/// A job's output for one caller, who takes piece after piece and closes it in the end.
package struct OutputFeed: Sendable {
    let readers: OutputReaders
    let reader: OutputReader
    /// False at once when what is followed has ended; else true after its state has changed.
    let nextChange: @Sendable () async -> Bool

    /// The records that have come, none after a `nudge`; asking for the next ones says that these are done with. Where
    /// output is missing, the next record of its stream stands behind the hole; it may be without bytes. `StreamHoles`
    /// finds holes.
    /// - Returns: nil when there is no more: the job has ended, or (not live) all there was has come.
    package func next() async throws -> [OutputRecord]? {
        while true {
            switch try await reader.next() {
            case .records(let records): return records
            case .caughtUp, .end: return nil
            case .unknown:
                guard reader.isLive, await nextChange() else { return nil }
                await readers.restart(reader)
            }
        }
    }

    /// Begins anew with what the node may not have known before.
    func restart() async { await readers.restart(reader) }

    /// Lets a pending `next` return with nothing, so that its caller can do something else in between.
    package func nudge() { reader.nudge() }

    /// Ends a pending `next` with this problem.
    package func fail(_ problem: Problem) { reader.fail(problem) }

    /// What cuts the stream off when its client has not taken a piece for long and somebody needs its place: a client
    /// that does not read keeps `next` from being asked.
    package func onCutOff(_ body: @escaping @Sendable () -> Void) { reader.onCutOff(body) }

    package func close() async { await readers.close(reader) }
}
