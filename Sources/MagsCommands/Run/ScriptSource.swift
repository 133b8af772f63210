import MagsClient
import MagsModel

/// Where a script's text comes from.
enum ScriptSource {
    /// - Parameter argument: `-` for standard input, the path of a file there is, or the text itself.
    static func text(of argument: String) async throws -> String {
        if argument == "-" { return try await read("/dev/stdin", called: "standard input") }
        // No path has a line break or is this long, and scripts mostly are no paths: no need to ask the disk.
        guard argument.utf8.count < 4096, !argument.contains("\n"), DiskFile.isReadable(argument) else {
            return argument
        }
        return try await read(argument, called: argument)
    }

    /// One word that nobody would write as a script unless it names a file.
    static func looksLikeFile(_ argument: String) -> Bool {
        guard argument != "-", !argument.contains(where: \.isWhitespace) else { return false }
        return argument.contains("/") || argument.hasSuffix(".sh") || argument.hasSuffix(".py")
    }

    private static func read(_ path: String, called name: String) async throws -> String {
        let bytes = try await Blocking(label: "mags.script").run { () throws(MagsError) in
            try DiskFile(reading: path).bytes(upTo: Limits.scriptBytes + 1)
        }
        guard bytes.count <= Limits.scriptBytes else {
            throw MagsError(
                "script_too_large", "the script in \(name) is longer than \(Limits.scriptBytes >> 20) MiB",
                hint: "send what it needs as files, with -f")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw MagsError(
                "script_not_text", "the script in \(name) is not UTF-8 text", hint: "send a program as a file, with -f")
        }
        return text
    }
}
