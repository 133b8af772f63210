import ControlPlane
import MagsModel
import NodeWire

/// The beginning of a command's output, in memory for one reply.
struct CapturedStreams: ~Copyable {
    private(set) var stdout: [UInt8] = []
    private(set) var stderr: [UInt8] = []
    private(set) var isTruncated = false
    private var holes = StreamHoles()
    /// Of which no more is taken: what came behind the piece that is missing would look as if it followed on the rest.
    private var cut: Set<OutputRecord.Stream> = []
    /// When the replies under way hold too much together, this one is cut short rather than refused: its command has run.
    private var share: BodyBudget.Share

    init(within budget: BodyBudget) { share = budget.share() }

    mutating func append(_ record: OutputRecord) {
        if holes.before(record) != nil { isTruncated = true }
        guard record.stream != .system, !cut.contains(record.stream) else { return }
        let held = record.stream == .stdout ? stdout.count : stderr.count
        var piece = record.bytes.prefix(Limits.execReplyBytes - held)
        do { try share.grow(by: piece.count) } catch { piece = [] }
        if record.stream == .stdout { stdout += piece } else { stderr += piece }
        guard piece.count < record.bytes.count else { return }
        cut.insert(record.stream)
        isTruncated = true
    }
}
