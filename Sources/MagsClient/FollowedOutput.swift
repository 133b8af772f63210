import AsyncHTTPClient
public import MagsAPI
import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A job's output, ended by the job's status.
public typealias JobOutput = FollowedOutput<JobStatus>
/// The output of a command in a job's machine, ended by the command's status.
public typealias ExecOutput = FollowedOutput<ExecStatus>

/// What a job, or a command in its machine, writes: as it comes, byte for byte.
///
/// Nothing is read before it is asked for, so a slow reader slows the sender and memory stays flat. When the connection
/// is lost, the sequence asks again for the bytes that it has not handed out yet, until
/// ``RetryPolicy/followPatience`` has passed without a sign of life; only ``RetryPolicy/patience`` when the server has
/// said that it is being stopped. Then it fails with `server_stopped`.
public struct FollowedOutput<Status: Decodable & Equatable & Sendable>: AsyncSequence, Sendable {
    public enum Event: Equatable, Sendable {
        case stdout([UInt8])
        case stderr([UInt8])
        /// What the platform says about the job.
        case system(String)
        /// Output is missing here: the log was full, and this reader was not there when it came.
        case skipped(SkippedOutput)
        /// The connection was lost, for this reason; the next event is behind the last one all the same. Once for each
        /// attempt that fails.
        case interrupted(MagsError)
        /// After `interrupted`: the connection stands again, and there is nothing new yet. What is new says the same.
        case resumed
        /// The last event.
        case ended(Status)
    }

    let client: MagsClient
    /// Of the output on the server.
    let path: String
    /// Else what there is now.
    let follows: Bool

    public func makeAsyncIterator() -> Iterator { Iterator(client: client, path: path, follows: follows) }

    public struct Iterator: AsyncIteratorProtocol {
        private enum State {
            case disconnected
            case connected(HTTPClientResponse.Body.AsyncIterator, OutputFrameDecoder)
            case finished
        }

        private let client: MagsClient
        private let path: String
        private let follows: Bool
        private var state = State.disconnected
        private var stdoutCount = 0
        private var stderrCount = 0
        private var systemCount = 0
        private var reconnection: Reconnection

        init(client: MagsClient, path: String, follows: Bool) {
            self.client = client
            self.path = path
            self.follows = follows
            reconnection = Reconnection(client, follows: follows)
        }

        public mutating func next() async throws -> Event? {
            while true {
                do {
                    switch state {
                    case .finished: return nil
                    case .disconnected:
                        try await reconnection.pause()
                        state = .connected(try await connect(), OutputFrameDecoder())
                    case .connected(var body, var decoder):
                        // The state is left while it is changed, so that the decoder's buffer is not copied.
                        state = .disconnected
                        if let frame = try decoder.next() {
                            state = .connected(body, decoder)
                            if let event = try event(of: frame) { return event }
                        } else if let bytes = try await body.next() {
                            decoder.append(bytes.readableBytesView)
                            state = .connected(body, decoder)
                        } else {
                            throw HTTPClientError.remoteConnectionClosed
                        }
                    }
                } catch let error as MagsError {
                    state = .finished
                    throw error
                } catch is OutputFrameDecoder.Damage {
                    state = .finished
                    throw MagsError.badReply("a damaged frame in a job's output")
                } catch {
                    state = .finished
                    let reason = try reconnection.lost(error)
                    state = .disconnected
                    if let reason { return .interrupted(reason) }
                }
            }
        }

        private func connect() async throws -> HTTPClientResponse.Body.AsyncIterator {
            var path = self.path + "?follow=\(follows ? 1 : 0)"
            for (name, count) in [("stdout", stdoutCount), ("stderr", stderrCount), ("system", systemCount)]
            where count > 0 {
                path += "&\(name)=\(count)"
            }
            let response = try await client.transport.send(
                .GET, path, headers: ["Accept": OutputFrame.mediaType], within: nil)
            guard response.headers.first(name: "Content-Type")?.hasPrefix(OutputFrame.mediaType) == true else {
                throw MagsError.badReply("a job's output is not of type \(OutputFrame.mediaType)")
            }
            return response.body.makeAsyncIterator()
        }

        private mutating func event(of frame: OutputFrame) throws -> Event? {
            switch frame.kind {
            case .stdout, .stderr, .system:
                // One without bytes is a sign of life: a job may be silent for hours.
                guard !frame.payload.isEmpty else { return reconnection.isResumed() ? .resumed : nil }
                reconnection.progress()
                return received(frame)
            case .skipped:
                reconnection.progress()
                let skipped: SkippedOutput = try client.decode(ByteBuffer(bytes: frame.payload))
                if skipped.stream == "stderr" { stderrCount &+= skipped.bytes } else { stdoutCount &+= skipped.bytes }
                return .skipped(skipped)
            case .end:
                state = .finished
                return .ended(try client.decode(ByteBuffer(bytes: frame.payload)))
            case .error:
                throw Transport.Failure(try client.decode(ByteBuffer(bytes: frame.payload)))
            }
        }

        private mutating func received(_ frame: OutputFrame) -> Event {
            switch frame.kind {
            case .stdout:
                stdoutCount += frame.payload.count
                return .stdout(frame.payload)
            case .stderr:
                stderrCount += frame.payload.count
                return .stderr(frame.payload)
            case .system, .skipped, .end, .error:
                systemCount += frame.payload.count
                return .system(String(decoding: frame.payload, as: UTF8.self))
            }
        }
    }
}
