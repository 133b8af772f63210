import MagsClient

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Asks for a secret without showing it.
enum HiddenPrompt {
    /// - Returns: one line of standard input without the spaces around it.
    /// - Throws: `CancellationError` after Ctrl-C.
    static func ask(_ question: String) async throws -> String {
        let isTerminal = isatty(0) == 1
        let line = await Blocking(label: "mags.prompt").run { isTerminal ? unseenLine(question) : readLine() }
        if isTerminal { try await StandardStream.error.write("\n") }
        guard let line else { throw MagsError("not_logged_in", "API token required, and none was given") }
        if line.utf8.last == interrupt { throw CancellationError() }
        let spaces: Set<Character> = [" ", "\t", "\r", "\n", "\r\n"]
        let start = line.drop { spaces.contains($0) }
        return String(start.reversed().drop { spaces.contains($0) }.reversed())
    }

    private static let interrupt: UInt8 = 3

    /// The terminal's echo is off from before the question to the answer's end. Ctrl-C only ends the line then, so that
    /// nobody is left with a terminal that shows nothing.
    private static func unseenLine(_ question: String) -> String? {
        var before = termios()
        guard tcgetattr(0, &before) == 0 else { return readLine() }
        var hidden = before
        hidden.c_lflag &= ~tcflag_t(ECHO | ISIG)
        withUnsafeMutableBytes(of: &hidden.c_cc) { $0[Int(VEOL)] = interrupt }
        _ = tcsetattr(0, TCSAFLUSH, &hidden)
        defer { _ = tcsetattr(0, TCSAFLUSH, &before) }
        StandardStream.error.writeBlocking(question)
        // The terminal hands out one line at a time; 4096 bytes is the longest that it takes.
        var line = [UInt8](repeating: 0, count: 4096)
        let count = line.withUnsafeMutableBytes { read(0, $0.baseAddress, $0.count) }
        return count > 0 ? String(decoding: line.prefix(count), as: UTF8.self) : nil
    }
}
