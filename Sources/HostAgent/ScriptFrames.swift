package import GuestWire
package import NodeWire

/// A job's script and environment as frames of the guest wire, whatever their size.
package enum ScriptFrames {
    /// Leaves room in an `Exec` frame for everything that is not script.
    static let firstPiece = 24 * 1024
    static let piece = 32 * 1024

    package static func make(_ job: JobAssignment, stream: UInt16 = LivingMachine.owner) -> [Frame] {
        var frames: [Frame] = []
        var environment = job.environment.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        var pairs = FieldWriter()
        pairs.pairs(environment)
        if pairs.bytes.count > 4096 {
            frames += split(pairs.bytes, by: piece).map { Frame(.environment, stream: stream, payload: $0) }
            environment = []
        }
        let script = Array(job.script.utf8)
        let directory = job.directory ?? "/root"
        // With what else the frame holds: environment and directory may be long, the rest is some bytes.
        let room = min(firstPiece, Frame.maximumPayload - 256 - min(pairs.bytes.count, 4096) - directory.utf8.count)
        let isWhole = script.count <= room
        let exec = Exec(
            program: .script(isWhole ? script : Array(script[..<room])), scriptContinues: !isWhole,
            environment: environment, workingDirectory: directory, mayUseWaiting: job.mayUseWaiting)
        frames.append(exec.frame(stream: stream))
        if !isWhole {
            frames += split(Array(script[room...]), by: piece).map { Frame(.script, stream: stream, payload: $0) }
            frames.append(Frame(.scriptEnd, stream: stream))
        }
        return frames
    }

    private static func split(_ bytes: [UInt8], by size: Int) -> [[UInt8]] {
        stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
    }
}
