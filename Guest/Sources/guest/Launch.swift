import CGuest
import GuestWire

/// Starts what an exec names: in an interpreter that waits for it where none could tell the difference, else afresh.
enum Launch {
    struct Started {
        let process: Process
        let group: Group
        /// Files and folders to remove when the exec has ended.
        let leavings: [String]
    }

    static func start(_ ready: Arriving.Ready, stream: UInt16, waiting: inout [Waiting]) throws(Failure) -> Started {
        guard let script = ready.script else { return try fresh(ready, stream: stream, .other) }
        let interpreter = Interpreter(scriptStart: script.start)
        guard let index = waiting.firstIndex(where: { $0.suits(ready.exec, script, interpreter) }) else {
            return try fresh(ready, stream: stream, interpreter)
        }
        let chosen = waiting.remove(at: index)
        try chosen.run(ready.exec, interpreter)
        return Started(process: chosen.process, group: chosen.group, leavings: chosen.leavings + [script.folder])
    }

    private static func fresh(
        _ ready: Arriving.Ready, stream: UInt16, _ interpreter: Interpreter
    ) throws(Failure) -> Started {
        let exec = ready.exec
        let environment = Environment.merged(with: exec.environment)
        var program = ready.script?.path ?? ""
        var arguments = [program]
        switch (exec.program, interpreter) {
        case (.arguments(let given), _):
            arguments = given
            program = try Process.find(given[0], environment: environment)
        case (.script, .shell):
            arguments = ["/bin/sh", program]
            program = "/bin/sh"
        case (.script, .bash(let name)) where !startsWithMark(ready.script):
            arguments = [name, program]
            program = name
        case (.script, _): break
        }
        let group = try Group("exec-\(stream)")
        do throws(Failure) {
            let process = try Process.start(
                program, arguments, environment: environment, folder: exec.workingDirectory,
                takesInput: exec.takesInput,
                group: group)
            return Started(process: process, group: group, leavings: ready.script.map { [$0.folder] } ?? [])
        } catch {
            _ = group.removeIfEmpty()
            guard startsWithMark(ready.script), error.errno == ENOENT || error.errno == EACCES else { throw error }
            throw Failure(step: "start the interpreter that the script's first line names", errno: error.errno)
        }
    }

    /// A `#!` line: the kernel starts what it names.
    private static func startsWithMark(_ script: ScriptFile?) -> Bool { script?.start.starts(with: "#!".utf8) ?? false }
}
