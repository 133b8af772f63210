import CGuest

/// A script on its way from the host into a file of its own, so that however long it is it takes no memory here.
final class ScriptFile {
    private static let limit = 1 << 20

    static func folder(_ number: Int) -> String { "\(Root.runtime)/\(number)" }

    /// The only file in its folder: python puts the folder on its module path.
    let folder: String
    var path: String { folder + "/script" }
    static func path(_ number: Int) -> String { folder(number) + "/script" }
    /// Enough for a `#!` line.
    private(set) var start: [UInt8] = []
    private let descriptor: Int32
    private var size = 0
    private var isClosed = false

    init(number: Int) throws(Failure) {
        folder = ScriptFile.folder(number)
        try Descriptors.check(mkdir(folder, 0o755), "make a folder for the script")
        descriptor = try Descriptors.open(folder + "/script", O_WRONLY | O_CREAT | O_EXCL, mode: 0o700)
    }

    deinit { finish() }

    func append(_ bytes: [UInt8]) throws(Failure) {
        size += bytes.count
        guard size <= ScriptFile.limit else { throw Failure(step: "the script is longer than 1 MiB", errno: EFBIG) }
        if start.count < 300 { start.append(contentsOf: bytes.prefix(300 - start.count)) }
        try Descriptors.writeAll(descriptor, bytes, "write the script")
    }

    /// A file that is open for writing cannot be executed.
    func finish() {
        guard !isClosed else { return }
        isClosed = true
        close(descriptor)
    }

    func remove() { guest_remove_tree(folder) }
}
