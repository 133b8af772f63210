import Logging
import MagsModel
import NIOCore
import NodeWire

extension HostAgent {
    /// The output of a job that runs, has ended, or was settled long ago; nil for one that is not known here.
    func output(of job: JobID) throws -> JobOutput? {
        if let run = jobs[job] { return run.output }
        if let kept = archive[job] { return kept }
        guard files.exists(job) else { return nil }
        let output = try JobOutput(folder: files.path(job), now: clock.now)
        output.markEnded()
        archive[job] = output
        return output
    }

    /// Far above what a control plane allows its own readers.
    private static let maximumReaders = 10_000

    func follow(_ reader: JobOutput.Reader, _ job: JobID, from: UInt64, credit: Int, _ channel: NodeChannel) {
        guard readers[reader] == nil, readers.count < HostAgent.maximumReaders else {
            logger.error("connection closed: it opens readers that it has, or too many")
            return channel.close()
        }
        let output: JobOutput
        do {
            guard let found = try self.output(of: job) else {
                return channel.send(.report(.outputUnknown(reader: reader.number)))
            }
            output = found
        } catch {
            logger.error("output not readable", metadata: ["job": "\(job)", "error": "\(error)"])
            return channel.send(.report(.outputUnreadable(reader: reader.number)))
        }
        readers[reader] = job
        output.follow(reader, from: from, credit: min(credit, 16 << 20)) { delivery in
            switch delivery {
            case .records(let bytes, let offset):
                channel.send(.records(reader: reader.number, offset: offset, ByteBuffer(bytes: bytes)))
            case .skipped(let offset, let stdout, let stderr):
                channel.send(
                    .report(.outputSkipped(reader: reader.number, to: offset, stdout: stdout, stderr: stderr)))
            case .end: channel.send(.report(.outputEnd(reader: reader.number)))
            case .unreadable: channel.send(.report(.outputUnreadable(reader: reader.number)))
            }
        }
    }

    func unfollow(_ reader: JobOutput.Reader, job: JobID, wasCut: Bool) {
        guard let output = jobs[job]?.output ?? archive[job] else { return }
        if let hold = output.unfollow(reader, wasCut: wasCut) {
            _ = clock.after(seconds: JobOutput.holdSeconds) { output.endHold(hold) }
        }
        if archive[job] != nil, !output.isFollowed { archive[job] = nil }
    }
}
