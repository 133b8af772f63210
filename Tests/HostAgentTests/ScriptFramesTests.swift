import GuestWire
import MagsModel
import NodeWire
import Testing

@testable import HostAgent

@Suite("A script as frames")
struct ScriptFramesTests {
    @Test(
        "never has one that the guest would refuse, whatever its script, environment and folder add up to",
        arguments: [0, 1, 24 * 1024 - 1, 24 * 1024, 100_000], [0, 3000, 4080, 4090, 4096, 200_000])
    func boundaries(script: Int, environment: Int) throws {
        for directory in [nil, "/" + String(repeating: "d", count: Limits.directoryBytes - 1)] {
            let job = JobAssignment(
                id: .random(), script: String(repeating: "s", count: script),
                environment: ["E": String(repeating: "e", count: environment)], timeoutSeconds: 1, inside: .random(),
                directory: directory)
            let frames = ScriptFrames.make(job, stream: 7)
            #expect(frames.allSatisfy { $0.payload.count <= Frame.maximumPayload && $0.stream == 7 })
            var whole = 0
            for frame in frames {
                if frame.kind == .script { whole += frame.payload.count }
                guard frame.kind == .exec else { continue }
                let exec = try Exec(frame)
                #expect(exec.workingDirectory == directory ?? "/root")
                if case .script(let bytes) = exec.program { whole += bytes.count }
            }
            #expect(whole == script)
        }
    }
}
