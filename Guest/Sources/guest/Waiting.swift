import CGuest
import GuestWire

/// An interpreter that has started and waits for the one script that it will run: the first output of a script is then
/// a few milliseconds away. It waits in the file that an interpreter reads before its script (bash: BASH_ENV, python3:
/// usercustomize), which is a FIFO; when that ends, environment and working directory are those of the exec, and the
/// script is read from its file as in any other start.
final class Waiting {
    enum Kind: CaseIterable { case bash, python }

    /// What an empty FIFO takes at once for sure.
    private static let fifoCapacity = 32 * 1024

    let kind: Kind
    let process: Process
    let group: Group
    /// The root has changed since it started.
    var hasLostItsFolder = false
    /// Our end of the FIFO, -1 once it is closed, which lets the interpreter go on.
    private var bell: Int32

    private static func place(_ kind: Kind) -> String { Root.runtime + (kind == .bash ? "/bash" : "/python") }

    /// Files that the exec removes at its end.
    var leavings: [String] { [Waiting.place(kind) + ".start", Waiting.place(kind) + ".settings"] }

    /// Starts one, and returns when it waits. Nil when the image has no such interpreter.
    static func start(_ kind: Kind) throws(Failure) -> Waiting? {
        guard let program = kind == .bash ? Interpreter.bashPath : Interpreter.pythonPath else { return nil }
        let place = place(kind)
        for path in [place + ".start", place + ".wait"] { guest_remove_tree(path) }
        try Descriptors.check(mkfifo(place + ".start", 0o600), "make a FIFO")
        var environment = Environment.base()
        if kind == .bash {
            environment.append(("BASH_ENV", place + ".start"))
        } else {
            try Descriptors.check(mkdir(place + ".wait", 0o700), "make a folder")
            try Descriptors.writeFile(place + ".wait/usercustomize.py", Settings.pythonWaiting(place: place))
            environment.append(("PYTHONPATH", place + ".wait"))
        }
        let group = try Group(kind == .bash ? "bash" : "python")
        let process = try Process.start(
            program, [program, ScriptFile.path(1)], environment: environment, folder: "/root", takesInput: true,
            group: group)
        do throws(Failure) {
            let bell = try handshake(with: process.pid, place + ".start")
            guest_remove_tree(place + ".wait")
            return Waiting(kind, process, group, bell: bell)
        } catch {
            process.abandon()
            _ = group.signal(SIGKILL)
            throw error
        }
    }

    private init(_ kind: Kind, _ process: Process, _ group: Group, bell: Int32) {
        self.kind = kind
        self.process = process
        self.group = group
        self.bell = bell
    }

    deinit { ring() }

    /// Whether this one can run the exec so that nothing tells it from a fresh start.
    func suits(_ exec: Exec, _ script: ScriptFile, _ interpreter: Interpreter) -> Bool {
        switch (kind, interpreter) {
        case (.bash, .bash), (.python, .python): break
        default: return false
        }
        // An interpreter named without its folder is looked for on the path.
        if case .python("python3") = interpreter, exec.environment.contains(where: { $0.0 == "PATH" }) { return false }
        return exec.mayUseWaiting && Environment.canBeSetLater(exec.environment)
            && Descriptors.isFolder(exec.workingDirectory)
            && script.path == ScriptFile.path(1)
            && exec.environment.allSatisfy { $0.0.utf8.count + $0.1.utf8.count < 128 * 1024 - 2 }
    }

    /// Lets it run.
    func run(_ exec: Exec, _ interpreter: Interpreter) throws(Failure) {
        let place = Waiting.place(kind)
        let settings =
            switch interpreter {
            case .bash(let name): Settings.bash(exec, name: name, entersFolder: hasLostItsFolder)
            case .python(let name): Settings.python(exec, name: name)
            default: [UInt8]()
            }
        if settings.count <= Waiting.fifoCapacity {
            try Descriptors.writeAll(bell, settings, "wake the interpreter")
        } else {
            try Descriptors.writeFile(place + ".settings", settings, mode: 0o600)
            if kind == .bash { try Descriptors.writeAll(bell, Array(". \(place).settings\n".utf8), "wake the shell") }
        }
        ring()
    }

    private func ring() {
        if bell >= 0 { close(bell) }
        bell = -1
    }

    func discard() {
        _ = group.signal(SIGKILL)
        process.abandon()
        for path in leavings { guest_remove_tree(path) }
    }

    /// Opening the FIFO for writing succeeds once the interpreter has opened it for reading. Blocking there instead
    /// would wait for ever for one that died.
    private static func handshake(with pid: Int32, _ path: String) throws(Failure) -> Int32 {
        for _ in 0..<30_000 {
            let descriptor = guest_open(path, O_WRONLY | O_NONBLOCK, 0)
            if descriptor >= 0 { return descriptor }
            var status: Int32 = 0
            if waitpid(pid, &status, WNOHANG) == pid {
                throw Failure(step: "start a waiting interpreter", errno: ECHILD)
            }
            guest_nap()
        }
        throw Failure(step: "start a waiting interpreter", errno: ETIMEDOUT)
    }
}
