/// Which server, and as whom: from the environment, then from the file that `mags login` writes.
public struct Configuration: Sendable {
    /// Where a value came from.
    public enum Source: Sendable, Equatable, CustomStringConvertible {
        case variable(String)
        case file(String)
        /// Nobody set it.
        case standard

        public var description: String {
            switch self {
            case .variable(let name): name
            case .file(let path): path
            case .standard: "the default"
            }
        }
    }

    public var address: ServerAddress
    public var addressSource: Source
    public var token: String?
    public var tokenSource: Source
    /// The file that was or would be read; nil when neither `MAGS_CONFIG` nor `HOME` is set.
    public var filePath: String?

    /// `MAGS_API_URL`, `MAGS_API_TOKEN` and `MAGS_TOKEN` win over the file, the first token variable over the second.
    /// A variable that is set and empty counts as not set.
    ///
    /// Reads the file, which blocks for as long as the disk does.
    ///
    /// - Throws: `bad_address`, `bad_configuration`, or `file_unreadable`.
    public static func load(environment: [String: String]) throws(MagsError) -> Configuration {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let path = filePath(environment: environment)
        let file = try path.map { path throws(MagsError) in try ConfigurationFile.read(path) } ?? ConfigurationFile()
        var configuration = Configuration(
            address: .standard, addressSource: .standard, token: nil, tokenSource: .standard, filePath: path)
        if let text = variable("MAGS_API_URL") {
            configuration.address = try ServerAddress(text)
            configuration.addressSource = .variable("MAGS_API_URL")
        } else if let text = file.apiURL, let path {
            configuration.address = try ServerAddress(text)
            configuration.addressSource = .file(path)
        }
        if let name = ["MAGS_API_TOKEN", "MAGS_TOKEN"].first(where: { variable($0) != nil }) {
            configuration.token = variable(name)
            configuration.tokenSource = .variable(name)
        } else if let token = file.apiToken, let path {
            configuration.token = token
            configuration.tokenSource = .file(path)
        }
        return configuration
    }

    /// `MAGS_CONFIG`, else `.mags/config.json` in the home folder.
    package static func filePath(environment: [String: String]) -> String? {
        if let path = environment["MAGS_CONFIG"], !path.isEmpty { return path }
        if let home = environment["HOME"], !home.isEmpty { return "\(home)/.mags/config.json" }
        return nil
    }
}
