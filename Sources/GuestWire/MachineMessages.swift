/// A piece of a file for the machine. The first piece (offset 0) makes it under a temporary name, the last moves it.
public struct FilePiece: WireMessage, Equatable {
    public static let kind = FrameKind.file
    /// Sent back in the `Reply`.
    public var request: UInt32
    /// Absolute, inside the machine's root.
    public var path: String
    public var mode: UInt32
    public var offset: UInt64
    public var isLast: Bool
    public var data: [UInt8]
    /// A symbolic link to make to the finished file if that name is free; empty for none.
    public var link: String

    public init(
        request: UInt32, path: String, mode: UInt32 = 0o644, offset: UInt64, isLast: Bool, data: [UInt8],
        link: String = ""
    ) {
        self.request = request
        self.path = path
        self.mode = mode
        self.offset = offset
        self.isLast = isLast
        self.data = data
        self.link = link
    }

    public func write(_ fields: inout FieldWriter) {
        fields.integer(request)
        fields.text(path)
        fields.integer(mode)
        fields.integer(offset)
        fields.flag(isLast)
        fields.data(data)
        fields.text(link)
    }

    public static func read(_ fields: inout FieldReader) throws(WireError) -> FilePiece {
        FilePiece(
            request: try fields.integer(), path: try fields.text(), mode: try fields.integer(),
            offset: try fields.integer(), isLast: try fields.flag(), data: try fields.data(), link: try fields.text())
    }
}

/// Makes a clone warm. In the template, before it is saved: `assemble`. In a fresh clone of the pool: `warmUp`.
public struct Prepare: WireMessage, Equatable {
    public static let kind = FrameKind.prepare
    public enum Stage: UInt8, Sendable {
        /// Mount the image and the throw-away layer, assemble the root, set the network up, read what will be needed.
        case assemble = 0
        /// Reseed with `seed`, rehearse a claim with a disk, shell, git and python once, then start the interpreters that
        /// wait.
        case warmUp = 1
    }
    public var request: UInt32
    public var stage: Stage
    public var seed: [UInt8]

    public init(request: UInt32, stage: Stage, seed: [UInt8] = []) {
        self.request = request
        self.stage = stage
        self.seed = seed
    }
    public func write(_ fields: inout FieldWriter) {
        fields.integer(request)
        fields.integer(stage.rawValue)
        fields.data(seed)
    }
    public static func read(_ fields: inout FieldReader) throws(WireError) -> Prepare {
        let request: UInt32 = try fields.integer()
        guard let stage = Stage(rawValue: try fields.integer()) else { throw .badValue }
        return Prepare(request: request, stage: stage, seed: try fields.data())
    }
}

/// The answer to a request that carries a number: an errno (0 = done) and a text, for a failure the step.
public struct Reply: WireMessage, Equatable {
    public static let kind = FrameKind.reply
    public var request: UInt32
    public var errno: UInt32
    public var text: String
    public init(request: UInt32, errno: UInt32 = 0, text: String = "") {
        self.request = request
        self.errno = errno
        self.text = text
    }
    public func write(_ fields: inout FieldWriter) {
        fields.integer(request)
        fields.integer(errno)
        fields.text(text)
    }
    public static func read(_ fields: inout FieldReader) throws(WireError) -> Reply {
        Reply(request: try fields.integer(), errno: try fields.integer(), text: try fields.text())
    }
}
