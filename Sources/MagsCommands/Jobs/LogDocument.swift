import ArgumentParser
import MagsAPI
import MagsClient

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// `{"logs":[…]}` as it comes, an entry a line: a log may be longer than what one wants to hold in memory.
enum LogDocument {
    private static let pieceSize = 64 * 1024

    /// A failure behind the first entry leaves the document without its end. Output that the log lacks is told on standard
    /// error too.
    ///
    /// - Throws: an exit code when output is missing.
    static func print(_ log: JobLog) async throws {
        var hasHoles = false
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var piece = "{\"logs\":["
        var separator = "\n"
        for try await event in log {
            guard case .entry(let entry) = event else { continue }
            if let skipped = entry.skipped {
                await Console.complain(skipped.text)
                hasHoles = true
            }
            piece += separator + escapingControls(inJSON: String(decoding: try encoder.encode(entry), as: UTF8.self))
            separator = ",\n"
            guard piece.utf8.count >= pieceSize else { continue }
            try await StandardStream.output.write(piece)
            piece = ""
        }
        try await Console.print(piece + "\n]}")
        if hasHoles { throw ExitCode(MagsExit.failed) }
    }
}
