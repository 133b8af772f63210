import MagsClient

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What `mags` itself says: results on standard output, everything else on standard error.
enum Console {
    static let environment = ProcessInfo.processInfo.environment

    /// One line of a failure. A standard error that nobody reads is no reason to fail differently.
    static func complain(_ text: String) async {
        let mark = usesColour(on: .error) ? "\u{1B}[31mmags:\u{1B}[0m" : "mags:"
        try? await StandardStream.error.write(lines(text, mark))
    }

    /// One line for a person who watches; programs and logs are spared it.
    static func note(_ text: String, quiet: Bool) async {
        guard !quiet, StandardStream.error.isTerminal else { return }
        try? await StandardStream.error.write(lines(text, "mags:"))
    }

    private static func lines(_ text: String, _ mark: String) -> String {
        text.split(whereSeparator: \.isNewline).map { "\(mark) \(printable(String($0)))\n" }.joined()
    }

    static func print(_ text: String) async throws { try await StandardStream.output.write(text + "\n") }

    static func print(json value: some Encodable) async throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let text = String(decoding: try encoder.encode(value), as: UTF8.self)
        try await StandardStream.output.write(escapingControls(inJSON: text) + "\n")
    }

    /// On terminals only, and not when `NO_COLOR` is set to anything or the terminal is `dumb`.
    static func usesColour(on stream: StandardStream) -> Bool {
        stream.isTerminal && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    }
}

/// Names and texts come from other people: control characters are shown, never obeyed.
func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { isControl($0) }) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
        if isControl(scalar) {
            result += "\\u{\(String(scalar.value, radix: 16))}"
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
    return result
}

/// The encoder escapes only what the grammar of JSON demands. Control characters stand inside strings alone, except for
/// the line feeds between lines, which the encoder makes.
func escapingControls(inJSON text: String) -> String {
    guard text.unicodeScalars.contains(where: { $0 != "\n" && isControl($0) }) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
        if scalar != "\n" && isControl(scalar) {
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
    return result
}

private func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    // The C0 and C1 controls, those that turn the direction of writing, and those that end a line.
    case 0..<32, 127..<160, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
}
