#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// `~/.mags/config.json`: a JSON object with `api_url` and `api_token`. Other keys are kept as they are.
package struct ConfigurationFile: Equatable, Sendable {
    package var apiURL: String? {
        get { text("api_url") }
        set { values["api_url"] = newValue.map(JSONValue.string) }
    }
    package var apiToken: String? {
        get { text("api_token") }
        set { values["api_token"] = newValue.map(JSONValue.string) }
    }
    package private(set) var values: [String: JSONValue] = [:]

    private static let longest = 1 << 20

    package init() {}

    /// A file that does not exist is an empty one.
    package static func read(_ path: String) throws(MagsError) -> ConfigurationFile {
        guard DiskFile.mode(of: path) != nil else { return ConfigurationFile() }
        let bytes = try DiskFile(reading: path).bytes(upTo: longest)
        var file = ConfigurationFile()
        if bytes.allSatisfy({ [9, 10, 13, 32].contains($0) }) { return file }
        guard let values = try? JSONDecoder().decode([String: JSONValue].self, from: Data(bytes)) else {
            throw MagsError(
                "bad_configuration", "\(path) is not a JSON object",
                hint: "mend it, or remove it and run `mags login`")
        }
        file.values = values
        return file
    }

    /// Replaces the file in one step; nobody but its owner can read it.
    package func write(_ path: String) throws(MagsError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(values) else {
            throw MagsError("bad_configuration", "what \(path) holds cannot be written as JSON")
        }
        try DiskFile.replace(path, with: Array(data) + [10], mode: 0o600)
    }

    private func text(_ key: String) -> String? { values[key]?.string.flatMap { $0.isEmpty ? nil : $0 } }
}
