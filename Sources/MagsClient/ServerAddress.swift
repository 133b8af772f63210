import MagsModel

/// Where the API is: `http://HOST:PORT`, `https://HOST`, or `unix:/path/to.sock` for a server on the same host.
public struct ServerAddress: Hashable, Sendable, CustomStringConvertible {
    /// Used when nothing else is configured.
    public static let standard: ServerAddress = {
        let text = "http://127.0.0.1:\(APIPort.standard)"
        return ServerAddress(text: text, root: text)
    }()

    public let description: String
    /// What every path is appended to.
    private let root: String

    private init(text: String, root: String) {
        description = text
        self.root = root
    }

    /// Trailing slashes are dropped.
    ///
    /// - Throws: `MagsError` with code `bad_address` unless the text has one of the three forms.
    public init(_ text: String) throws(MagsError) {
        var trimmed = Substring(text)
        while trimmed.last == "/" { trimmed.removeLast() }
        if trimmed.hasPrefix("unix:") {
            var path = trimmed.dropFirst("unix:".count)
            if path.hasPrefix("//") { path = path.dropFirst(2) }
            guard path.hasPrefix("/"), path.count > 1 else { throw ServerAddress.malformed(text) }
            self.init(text: "unix:\(path)", root: "http+unix://\(percentEncoded(path))")
            return
        }
        guard let scheme = ["http://", "https://"].first(where: { trimmed.lowercased().hasPrefix($0) }) else {
            throw ServerAddress.malformed(text)
        }
        let host = trimmed.dropFirst(scheme.count)
        let forbidden: Set<Character> = ["?", "#", "@", " ", "\"", "<", ">", "\\", "^", "`", "{", "|", "}"]
        guard let first = host.first, first != "/", first != ":",
            !host.contains(where: { forbidden.contains($0) || !$0.isASCII || $0.isNewline || $0 == "\t" })
        else { throw ServerAddress.malformed(text) }
        self.init(text: scheme + host, root: scheme + host)
    }

    /// True when what is sent cannot be read on the way: over TLS, over a socket of this host, or to this host itself.
    public var isPrivate: Bool {
        if root.hasPrefix("http+unix:") || root.hasPrefix("https:") { return true }
        let authority = root.dropFirst("http://".count).prefix { $0 != "/" }
        if authority.hasPrefix("[") { return authority.hasPrefix("[::1]") }
        let host = authority.prefix { $0 != ":" }
        return host == "localhost" || host.hasPrefix("127.") && host.allSatisfy { $0 == "." || $0.isNumber }
    }

    /// - Parameter path: begins with a slash; its parts are percent-encoded already.
    func url(_ path: String) -> String { root + path }

    private static func malformed(_ text: String) -> MagsError {
        MagsError(
            "bad_address", "'\(text)' is not an address of a Mags server",
            hint: "use http://HOST:PORT, https://HOST or unix:/path/to.sock")
    }
}

/// For one part of a path or one value of a query: all but the unreserved characters as `%XX`.
func percentEncoded(_ text: some StringProtocol) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            bytes.append(byte)
        default:
            bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}
