import CGuest

/// A process just started, with our ends of its pipes.
struct Process {
    let pid: Int32
    /// Nil when it reads from nothing.
    let input: Int32?
    let stdout: Int32
    let stderr: Int32

    /// - Parameter takesInput: false gives it /dev/null.
    static func start(
        _ path: String, _ arguments: [String], environment: [(String, String)], folder: String, takesInput: Bool,
        group: Group
    ) throws(Failure) -> Process {
        var ours: [Int32] = []
        var theirs: [Int32] = []
        defer { for descriptor in theirs { close(descriptor) } }
        do throws(Failure) {
            if takesInput {
                let input = try Descriptors.pipe()
                ours.append(input.writing)
                theirs.append(input.reading)
            } else {
                theirs.append(try Descriptors.open("/dev/null", O_RDONLY))
            }
            for _ in 0..<2 {
                let output = try Descriptors.pipe()
                ours.append(output.reading)
                theirs.append(output.writing)
            }
            let pid = try spawn(path, arguments, environment, folder, theirs, group)
            return Process(
                pid: pid, input: takesInput ? ours[0] : nil, stdout: ours[ours.count - 2], stderr: ours[ours.count - 1])
        } catch {
            for descriptor in ours { close(descriptor) }
            throw error
        }
    }

    /// Closes our ends, for a process that is not to be used.
    func abandon() {
        for descriptor in [input ?? -1, stdout, stderr] where descriptor >= 0 { close(descriptor) }
    }

    /// Where a program is, as a shell would look for it: a name with a slash is a path already.
    static func find(_ name: String, environment: [(String, String)]) throws(Failure) -> String {
        guard !name.utf8.contains(UInt8(ascii: "/")) else { return name }
        let path = environment.last { $0.0 == "PATH" }?.1 ?? Environment.path
        for folder in path.utf8.split(separator: UInt8(ascii: ":")) where !name.isEmpty {
            let candidate = String(decoding: folder, as: UTF8.self) + "/" + name
            if Descriptors.isProgram(candidate) { return candidate }
        }
        throw Failure(step: "find '\(name)' on the PATH", errno: ENOENT)
    }

    private static func spawn(
        _ path: String, _ arguments: [String], _ environment: [(String, String)], _ folder: String,
        _ streams: [Int32], _ group: Group
    ) throws(Failure) -> Int32 {
        let arguments = CStrings(arguments)
        let variables = CStrings(environment.map { $0.0 + "=" + $0.1 })
        var error: Int32 = 0
        var step: UnsafePointer<CChar>?
        let pid = path.withCString { path in
            folder.withCString { folder in
                var order = guest_spawn_order(
                    path: path, arguments: arguments.pointers, environment: variables.pointers, folder: folder,
                    input: streams[0], output: streams[1], error: streams[2], group: group.entrance)
                return guest_spawn(&order, &error, &step)
            }
        }
        guard pid > 0 else { throw Failure(step: step.map { String(cString: $0) } ?? "start", errno: error) }
        return pid
    }
}

/// Texts as C wants a list of them, for as long as this lives.
final class CStrings {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ texts: [String]) {
        count = texts.count
        pointers = .allocate(capacity: texts.count + 1)
        for (index, text) in texts.enumerated() { (pointers + index).initialize(to: strdup(text)) }
        (pointers + texts.count).initialize(to: nil)
    }

    deinit {
        for index in 0..<count { free(pointers[index]) }
        pointers.deallocate()
    }
}
