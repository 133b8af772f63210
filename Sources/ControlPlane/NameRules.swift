import MagsModel

enum NameRules {
    /// 1 to 128 characters that a person can see, at most 512 bytes.
    static func job(_ name: String) throws(Problem) -> String {
        guard (1...Limits.nameCharacters).contains(name.count), name.utf8.count <= 4 * Limits.nameCharacters else {
            throw Problem.invalid("name", "must have 1 to \(Limits.nameCharacters) characters.")
        }
        guard name.unicodeScalars.allSatisfy(isPrintable) else {
            throw Problem.invalid("name", "must be printable: no control or formatting characters.")
        }
        guard name.contains(where: { !$0.isWhitespace }) else { throw Problem.invalid("name", "is blank.") }
        return name
    }

    /// 1 to 63 of `a-z A-Z 0-9 . _ -`, the first a letter or a digit.
    static func workspace(_ name: String, field: String) throws(Problem) -> String {
        let bytes = Array(name.utf8)
        guard (1...Limits.workspaceNameCharacters).contains(bytes.count), let first = bytes.first,
            isAlphanumeric(first), bytes.allSatisfy({ isAlphanumeric($0) || ".-_".utf8.contains($0) })
        else {
            throw Problem.invalid(
                field,
                "must be 1 to \(Limits.workspaceNameCharacters) of a-z A-Z 0-9 . _ - and begin with a letter or digit.")
        }
        return name
    }

    static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .unassigned, .lineSeparator, .paragraphSeparator, .privateUse: false
        default: true
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }
}
