import Foundation
import MagsModel
import NIOCore

/// Cuts a multipart form into parts as it comes, holding at most a part's headers or a boundary's length of it.
struct MultipartParser: Sendable {
    struct PartHeaders: Sendable, Equatable {
        var name: String?
        var fileName: String?
    }

    enum Event: Sendable, Equatable {
        case part(PartHeaders)
        case bytes(ByteBuffer)
        case end
    }

    private enum State { case preamble, headers, content, done }

    static let maximumHeaderBytes = 8 * 1024
    private let delimiter: [UInt8]
    private var state = State.preamble
    private var held = ByteBuffer()
    /// Bytes at the start of the content that belong to the headers' blank line. They stay until then, since the
    /// boundary after an empty part begins with them.
    private var lineEnd = 0

    init(boundary: String) {
        delimiter = Array("\r\n--\(boundary)".utf8)
        // The first boundary may be the very first line.
        held.writeString("\r\n")
    }

    var isWhole: Bool { state == .done }

    mutating func feed(_ bytes: ByteBuffer) throws(Problem) -> [Event] {
        guard state != .done else { return [] }
        held.writeImmutableBuffer(bytes)
        var events: [Event] = []
        while try step(&events) {}
        held.discardReadBytes()
        return events
    }

    /// - Returns: false when more bytes are needed.
    private mutating func step(_ events: inout [Event]) throws(Problem) -> Bool {
        switch state {
        case .done: return false
        case .headers: return try readHeaders(&events)
        case .preamble, .content:
            guard let index = MultipartParser.find(delimiter, in: held) else {
                take(held.readableBytes - delimiter.count + 1, into: &events)
                return false
            }
            take(index, into: &events)
            guard let next = held.getBytes(at: held.readerIndex + delimiter.count, length: 2) else { return false }
            let isLast = next == Array("--".utf8)
            guard isLast || next == Array("\r\n".utf8) else {
                // A longer line that only begins like the boundary.
                take(delimiter.count, into: &events)
                return true
            }
            if state == .content { events.append(.end) }
            held.moveReaderIndex(forwardBy: delimiter.count + 2)
            state = isLast ? .done : .headers
            return true
        }
    }

    private mutating func readHeaders(_ events: inout [Event]) throws(Problem) -> Bool {
        let index = MultipartParser.find(Array("\r\n\r\n".utf8), in: held)
        guard index ?? held.readableBytes <= MultipartParser.maximumHeaderBytes else {
            throw Problem(400, "invalid_form", "The headers of a part are too long.")
        }
        guard let index, let text = held.readString(length: index) else { return false }
        held.moveReaderIndex(forwardBy: 2)
        lineEnd = 2
        events.append(.part(MultipartParser.headers(text)))
        state = .content
        return true
    }

    /// Moves over bytes that are no boundary.
    private mutating func take(_ count: Int, into events: inout [Event]) {
        guard count > 0, var piece = held.readSlice(length: count) else { return }
        let skipped = min(lineEnd, count)
        lineEnd -= skipped
        piece.moveReaderIndex(forwardBy: skipped)
        if state == .content, piece.readableBytes > 0 { events.append(.bytes(piece)) }
    }

    /// Where the bytes first stand among the readable ones.
    private static func find(_ needle: [UInt8], in buffer: ByteBuffer) -> Int? {
        buffer.withUnsafeReadableBytes { bytes -> Int? in
            guard let base = bytes.baseAddress, bytes.count >= needle.count else { return nil }
            var start = 0
            while start <= bytes.count - needle.count {
                let rest = bytes.count - needle.count - start + 1
                guard let found = memchr(base + start, Int32(needle[0]), rest) else { return nil }
                let index = base.distance(to: UnsafeRawPointer(found))
                if memcmp(found, needle, needle.count) == 0 { return index }
                start = index + 1
            }
            return nil
        }
    }

    static func boundary(of contentType: String) -> String? {
        let pieces = contentType.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
        guard pieces.first?.lowercased() == "multipart/form-data" else { return nil }
        for piece in pieces.dropFirst() where piece.lowercased().hasPrefix("boundary=") {
            let value = piece.dropFirst("boundary=".count).trimmingCharacters(in: CharacterSet(charactersIn: "\""))
            return (1...70).contains(value.utf8.count) ? value : nil
        }
        return nil
    }

    private static func headers(_ text: String) -> PartHeaders {
        var headers = PartHeaders()
        for line in text.components(separatedBy: "\r\n") {
            let halves = line.split(separator: ":", maxSplits: 1)
            guard halves.count == 2, halves[0].lowercased() == "content-disposition" else { continue }
            headers.name = parameter("name", of: halves[1])
            headers.fileName = parameter("filename", of: halves[1])
        }
        return headers
    }

    /// A quoted parameter.
    private static func parameter(_ name: String, of value: Substring) -> String? {
        var rest = value
        // Literally: a letter that combines with the quote before it does not hide that.
        while let start = rest.range(of: "\(name)=\"", options: .literal) {
            let isWhole =
                start.lowerBound == rest.startIndex || " ;".contains(rest[rest.index(before: start.lowerBound)])
            rest = rest[start.upperBound...]
            if isWhole { return unquoted(rest.unicodeScalars) }
        }
        return nil
    }

    /// The text up to the closing quote. Browsers write quotes and line ends in it as `%22`, `%0D` and `%0A`, and a
    /// backslash as it is; others put a backslash before quotes and backslashes, ours before a percent sign too.
    private static func unquoted(_ scalars: Substring.UnicodeScalarView) -> String? {
        let escapes: [String: Unicode.Scalar] = ["%22": "\"", "%0D": "\r", "%0A": "\n"]
        var text = String.UnicodeScalarView()
        var rest = scalars
        while let scalar = rest.popFirst() {
            if scalar == "\"" { return String(text) }
            if scalar == "\\", let next = rest.first, ["\"", "\\", "%"].contains(next) {
                text.append(next)
                rest.removeFirst()
            } else if scalar == "%", let escaped = escapes["%\(String(rest.prefix(2)).uppercased())"] {
                text.append(escaped)
                rest.removeFirst(2)
            } else {
                text.append(scalar)
            }
        }
        return nil
    }
}
