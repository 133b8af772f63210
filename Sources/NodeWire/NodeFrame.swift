import Foundation
public import NIOCore

/// One unit between a node and the control plane: a u32 length, a kind (u8), then JSON or output.
public enum NodeFrame: Sendable {
    case assignment(Assignment)
    case report(Report)
    /// Whole or part records of a job's output, for one reader. `offset` is where the first byte stands in the
    /// concatenation of all records.
    case records(reader: UInt32, offset: UInt64, ByteBuffer)

    static let jsonAssignment: UInt8 = 0
    static let jsonReport: UInt8 = 1
    static let recordBytes: UInt8 = 2

    /// A script and its environment in JSON, escapes included, stay under this.
    public static let maximumLength = 16 << 20

    func encode(into buffer: inout ByteBuffer) throws {
        switch self {
        case .assignment(let assignment):
            NodeFrame.write(NodeFrame.jsonAssignment, try JSONEncoder().encode(assignment), into: &buffer)
        case .report(let report):
            NodeFrame.write(NodeFrame.jsonReport, try JSONEncoder().encode(report), into: &buffer)
        case .records(let reader, let offset, let bytes):
            buffer.writeInteger(UInt32(bytes.readableBytes + 13))
            buffer.writeInteger(NodeFrame.recordBytes)
            buffer.writeInteger(reader)
            buffer.writeInteger(offset)
            buffer.writeImmutableBuffer(bytes)
        }
    }

    private static func write(_ kind: UInt8, _ json: Data, into buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt32(json.count + 1))
        buffer.writeInteger(kind)
        buffer.writeBytes(json)
    }
}

/// What the other side of a node connection must not send.
public struct NodeFrameError: Error, Equatable, Sendable {
    public let reason: String
}

/// Cuts the stream into frames.
final class NodeFrameDecoder: ByteToMessageDecoder {
    typealias InboundOut = NodeFrame

    func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) else { return .needMoreData }
        guard length >= 1, length <= NodeFrame.maximumLength else { throw NodeFrameError(reason: "length \(length)") }
        guard buffer.readableBytes >= 4 + Int(length) else { return .needMoreData }
        buffer.moveReaderIndex(forwardBy: 4)
        guard var body = buffer.readSlice(length: Int(length)), let kind = body.readInteger(as: UInt8.self) else {
            return .needMoreData
        }
        switch kind {
        case NodeFrame.jsonAssignment:
            let json = Data(body.readableBytesView)
            let assignment = try JSONDecoder().decode(Assignment.self, from: json)
            try assignment.check()
            context.fireChannelRead(wrapInboundOut(.assignment(assignment)))
        case NodeFrame.jsonReport:
            let json = Data(body.readableBytesView)
            context.fireChannelRead(wrapInboundOut(.report(try JSONDecoder().decode(Report.self, from: json))))
        case NodeFrame.recordBytes:
            guard let reader = body.readInteger(as: UInt32.self), let offset = body.readInteger(as: UInt64.self) else {
                throw NodeFrameError(reason: "short records")
            }
            context.fireChannelRead(wrapInboundOut(.records(reader: reader, offset: offset, body)))
        default: throw NodeFrameError(reason: "kind \(kind)")
        }
        return .continue
    }

    func decodeLast(context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool) throws -> DecodingState {
        .needMoreData
    }
}

final class NodeFrameEncoder: MessageToByteEncoder {
    typealias OutboundIn = NodeFrame
    func encode(data: NodeFrame, out: inout ByteBuffer) throws { try data.encode(into: &out) }
}
