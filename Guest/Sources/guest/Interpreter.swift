import CGuest

/// What a script runs under, by its first line.
enum Interpreter: Equatable {
    /// bash, and how the script named it: `/bin/bash` also when it named nothing.
    case bash(String)
    /// python3, and the name that it is started by.
    case python(String)
    /// No `#!` in an image without bash.
    case shell
    /// The kernel reads the `#!` line.
    case other

    static let bashPath: String? = ["/bin/bash", "/usr/bin/bash"].first(where: Descriptors.isProgram)
    static let pythonPath: String? = Descriptors.isProgram("/usr/bin/python3") ? "/usr/bin/python3" : nil

    /// - Parameter start: the script's first bytes, its whole first line if that is short enough to matter.
    init(scriptStart start: [UInt8]) {
        guard start.starts(with: "#!".utf8) else {
            self = Interpreter.bashPath.map { .bash($0) } ?? .shell
            return
        }
        let line = start.dropFirst(2).prefix(256).prefix { $0 != UInt8(ascii: "\n") }
        let words = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        let text = words.map { String(decoding: $0, as: UTF8.self) }
        switch (text.first, text.count) {
        case ("/bin/bash", 1), ("/usr/bin/bash", 1): self = .bash(text[0])
        case ("/usr/bin/python3", 1): self = .python(text[0])
        case ("/usr/bin/env", 2) where text[1] == "bash": self = .bash("/usr/bin/bash")
        case ("/usr/bin/env", 2) where text[1] == "python3": self = .python("python3")
        default: self = .other
        }
    }
}
