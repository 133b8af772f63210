/// The version of this checkout: of the server, the command and the SDK alike.
public enum MagsVersion {
    public static let text = "0.1.0"
    /// How the command, the SDK and the server name themselves to HTTP servers.
    public static let userAgent = "mags/\(text)"
}
