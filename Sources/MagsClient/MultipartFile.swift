import MagsModel
import NIOCore

/// One file as a `multipart/form-data` body with the single part `file`, read piece by piece.
struct MultipartFile: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    /// Every read is made by one queue in order, which is what makes sharing the descriptor right.
    private final class Source: Sendable {
        let file: DiskFile
        init(_ file: consuming DiskFile) { self.file = file }
    }

    private let source: Source
    private let size: Int
    private let head: [UInt8]
    private let tail: [UInt8]
    private let blocking = Blocking(label: "mags.upload")
    let contentType: String

    var length: Int { head.count + size + tail.count }

    static func open(_ path: String) async throws -> MultipartFile {
        try await Blocking(label: "mags.upload.open").run { () throws(MagsError) in
            let file = try DiskFile(reading: path)
            return MultipartFile(
                size: try file.size(), name: MultipartFile.lastPart(of: path), file)
        }
    }

    /// By bytes: a letter that combines with the slash before it makes it no other character to the system.
    private static func lastPart(of path: String) -> String {
        path.utf8.split(separator: UInt8(ascii: "/")).last.map { String(decoding: $0, as: UTF8.self) } ?? path
    }

    private init(size: Int, name: String, _ file: consuming DiskFile) {
        let boundary = "mags-" + String(UInt64.random(in: .min ... .max), radix: 16)
        contentType = "multipart/form-data; boundary=\(boundary)"
        head = Array(
            ("--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\(quotedFileName(name))\"\r\n"
                + "Content-Type: application/octet-stream\r\n\r\n").utf8)
        tail = Array("\r\n--\(boundary)--\r\n".utf8)
        self.size = size
        source = Source(file)
    }

    func makeAsyncIterator() -> Iterator { Iterator(body: self) }

    struct Iterator: AsyncIteratorProtocol {
        private enum Part {
            case head
            case content(left: Int)
            case finished
        }
        private let body: MultipartFile
        private var part = Part.head

        init(body: MultipartFile) { self.body = body }

        mutating func next() async throws -> ByteBuffer? {
            switch part {
            case .head:
                part = .content(left: body.size)
                return ByteBuffer(bytes: body.head)
            case .content(left: 0):
                part = .finished
                return ByteBuffer(bytes: body.tail)
            case .content(let left):
                let source = body.source
                let bytes = try await body.blocking.run { () throws(MagsError) in
                    try source.file.bytes(upTo: Swift.min(left, 256 * 1024))
                }
                guard !bytes.isEmpty else {
                    throw MagsError("file_unreadable", "\(source.file.path) became shorter while it was sent")
                }
                part = .content(left: left - bytes.count)
                return ByteBuffer(bytes: bytes)
            case .finished: return nil
            }
        }
    }
}

/// A file's name as a form's quoted `filename`: quotes and backslashes behind a backslash, line ends as browsers write
/// them, and the percent sign of what only looks like these behind a backslash too.
func quotedFileName(_ name: String) -> String {
    var quoted = ""
    for scalar in name.unicodeScalars {
        switch scalar {
        case "\"", "\\", "%": quoted += "\\\(scalar)"
        case "\r": quoted += "%0D"
        case "\n": quoted += "%0A"
        default: quoted.unicodeScalars.append(scalar)
        }
    }
    return quoted
}
