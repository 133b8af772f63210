import ArgumentParser

/// Catches a mistyped command before the parser calls it an unexpected argument.
enum UnknownCommand {
    static func check(_ arguments: [String]) throws {
        guard let word = arguments.first, !word.hasPrefix("-") else { return }
        try check(word)
        if word == "help", let topic = arguments.dropFirst().first, !topic.hasPrefix("-") { try check(topic) }
    }

    private static func check(_ word: String) throws {
        let names = MagsCommand.commandNames + ["help"]
        guard !names.contains(word) else { return }
        let advice = nearest(to: word, among: names).map { "Did you mean '\($0)'?" } ?? "`mags help` lists them all."
        throw ValidationError("Unknown command '\(printable(word))'. \(advice)")
    }

    /// - Returns: the name that the fewest slips of the fingers lead to, if they are few enough to be slips.
    static func nearest(to word: String, among names: [String]) -> String? {
        let word = Array(word.utf8.prefix(32))
        let closest = names.map { ($0, slips(word, Array($0.utf8))) }.min { $0.1 < $1.1 }
        guard let (name, count) = closest, count <= max(1, name.utf8.count / 2), count < word.count else { return nil }
        return name
    }

    /// Letters to add, drop, replace, or swap with their neighbour.
    private static func slips(_ first: [UInt8], _ second: [UInt8]) -> Int {
        var before: [Int] = []
        var last = Array(0...second.count)
        for row in first.indices {
            var current = [row + 1]
            for column in second.indices {
                let replaced = last[column] + (first[row] == second[column] ? 0 : 1)
                var least = min(replaced, last[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, first[row] == second[column - 1], first[row - 1] == second[column] {
                    least = min(least, before[column - 1] + 1)
                }
                current.append(least)
            }
            before = last
            last = current
        }
        return last[second.count]
    }
}
