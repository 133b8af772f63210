import Glibc

@testable import HostSystem

let isRoot = geteuid() == 0

/// What a started program said, and how it ended.
struct Outcome {
    var status: ExitStatus
    var lines: [String]

    subscript(_ field: String) -> String? {
        lines.first { $0.hasPrefix("\(field):") }.map {
            String($0.dropFirst(field.count + 1).drop { $0 == "\t" || $0 == " " })
        }
    }
}

/// Runs a spec with its standard output in memory.
func outcome(of spec: ProcessSpec) async throws -> Outcome {
    let output = try FileDescriptor.memfd(name: "output")
    var spec = spec
    spec.descriptors[1] = output
    let status = await (try ChildProcess.spawn(spec)).waitForExit()
    let text = try SystemFile.text(of: output, named: "output")
    return Outcome(status: status, lines: text.split(separator: "\n").map(String.init))
}

func shell(_ script: String) -> ProcessSpec {
    ProcessSpec(program: "/bin/sh", arguments: ["sh", "-c", script], environment: ["PATH=/usr/bin:/bin"])
}

/// A folder that goes with the scope.
func withFolder<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    var template = Array("/tmp/mags-host-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw HostError(errno: errno, "no folder") }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { _ = try? ChildProcess.spawn(ProcessSpec(program: "/bin/rm", arguments: ["rm", "-rf", path])) }
    return try await body(path)
}
