import Foundation

/// The checkout that these tests were compiled from.
enum Tree {
    static let root = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    struct File: Sendable, CustomStringConvertible {
        /// From the checkout's root.
        let path: String
        let lines: [String]
        var description: String { path }
    }

    /// All files below these folders whose names end so, sorted by path. Links to folders are not followed.
    static func files(in folders: [String], endingWith endings: [String]) -> [File] {
        folders.flatMap { folder -> [File] in
            let base = root.appending(path: folder)
            let names = FileManager.default.enumerator(atPath: base.path)?.compactMap { $0 as? String } ?? []
            return names.filter { name in !name.contains(".build") && endings.contains { name.hasSuffix($0) } }
                .map { File(path: "\(folder)/\($0)", lines: lines(of: base.appending(path: $0))) }
        }
        .sorted { $0.path < $1.path }
    }

    static func file(_ path: String) -> File { File(path: path, lines: lines(of: root.appending(path: path))) }

    private static func lines(of url: URL) -> [String] {
        guard let text = try? String(contentsOf: url, encoding: .utf8) else { return [] }
        return text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    static var swift: [File] { files(in: ["Sources", "Guest/Sources", "Tests"], endingWith: [".swift"]) }
}
