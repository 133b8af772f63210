/// Where the API listens, and where the command line looks for it, when nobody says otherwise.
public enum APIPort {
    public static let standard = 8042
}
