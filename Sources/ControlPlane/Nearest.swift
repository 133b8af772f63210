/// The known name that a misspelt one was probably meant to be.
package enum Nearest {
    /// - Returns: nil when nothing is near.
    package static func name(to text: String, of known: [String]) -> String? {
        guard text.utf8.count <= 64 else { return nil }
        let best = known.map { ($0, distance(Array(text.utf8), Array($0.utf8))) }.min { $0.1 < $1.1 }
        guard let (name, distance) = best, distance <= max(2, name.utf8.count / 3) else { return nil }
        return name
    }

    /// How many bytes must be put in, left out or changed.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (index, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for (column, other) in right.enumerated() {
                let changed = diagonal + (byte == other ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(changed, row[column] + 1, diagonal + 1)
            }
        }
        return row[right.count]
    }
}
