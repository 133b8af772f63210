import FoundationEssentials
import NIOCore
import NIOFoundationCompat

/// Cuts the monitor's bytes into messages.
struct QMPLineDecoder: ByteToMessageDecoder {
    typealias InboundOut = QMPMessage

    /// Far above any answer to the commands that we send. A monitor is not trusted: a guest may have taken its QEMU.
    static let maximumLine = 1 << 20

    mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        guard let end = buffer.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) else {
            guard buffer.readableBytes <= QMPLineDecoder.maximumLine else {
                throw QMPError(.protocolViolation, "QEMU's monitor sent a line without an end.")
            }
            return .needMoreData
        }
        let length = end - buffer.readerIndex + 1
        guard length <= QMPLineDecoder.maximumLine, let line = buffer.readData(length: length) else {
            throw QMPError(.protocolViolation, "QEMU's monitor sent too long a line.")
        }
        // Blank lines carry nothing.
        if line.allSatisfy({ $0 == 10 || $0 == 13 || $0 == 32 }) { return .continue }
        context.fireChannelRead(wrapInboundOut(try QMPMessage(line: line)))
        return .continue
    }

    mutating func decodeLast(
        context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
    ) throws -> DecodingState {
        // What is left at the end is half a line: nothing waits for it, its waiters fail with the connection.
        while try decode(context: context, buffer: &buffer) == .continue {}
        buffer.clear()
        return .needMoreData
    }
}
