import AsyncHTTPClient
public import MagsAPI
import NIOCore
import NIOHTTP1

/// The entries of a job's log: those that there are, or as they come, ended by the job's status.
///
/// When the connection is lost, the sequence asks again for the entries behind the last one that it handed out, until
/// ``RetryPolicy/followPatience`` has passed without a sign of life; only ``RetryPolicy/patience`` when the server has
/// said that it is being stopped. Then it fails with `server_stopped`.
public struct JobLog: AsyncSequence, Sendable {
    public enum Event: Equatable, Sendable {
        case entry(LogEntry)
        /// The connection was lost, for this reason; the next event is behind the last one all the same. Once for each
        /// attempt that fails.
        case interrupted(MagsError)
        /// After `interrupted`: the connection stands again, and there is nothing new yet. What is new says the same.
        case resumed
        /// The last event of a log that is followed.
        case ended(JobStatus)
    }

    let client: MagsClient
    let job: String
    let after: Int
    /// Else the entries that there are now.
    let follows: Bool

    public func makeAsyncIterator() -> Iterator {
        Iterator(client: client, job: job, after: after, follows: follows)
    }

    public struct Iterator: AsyncIteratorProtocol {
        private enum State {
            case disconnected
            case connected(HTTPClientResponse.Body.AsyncIterator, Decoder)
            case finished
        }

        private let client: MagsClient
        private let job: String
        private let follows: Bool
        private var last: Int
        /// Where the list that is being read begins.
        private var askedAfter = 0
        private var state = State.disconnected
        private var reconnection: Reconnection

        init(client: MagsClient, job: String, after: Int, follows: Bool) {
            self.client = client
            self.job = job
            self.follows = follows
            last = after
            reconnection = Reconnection(client, follows: follows)
        }

        public mutating func next() async throws -> Event? {
            while true {
                do {
                    switch state {
                    case .finished: return nil
                    case .disconnected:
                        try await reconnection.pause()
                        state = .connected(try await connect(), Decoder(follows: follows))
                    case .connected(var body, var decoder):
                        // The state is left while it is changed, so that the decoder's buffer is not copied.
                        state = .disconnected
                        if let item = try decoder.next() {
                            state = .connected(body, decoder)
                            if let event = try take(item) { return event }
                        } else if let bytes = try await body.next() {
                            // Also what is no entry: a job may be silent for hours, and its stream says that it lives.
                            decoder.append(bytes.readableBytesView)
                            state = .connected(body, decoder)
                            if follows, reconnection.isResumed() { return .resumed }
                        } else {
                            throw HTTPClientError.remoteConnectionClosed
                        }
                    }
                } catch let error as MagsError {
                    state = .finished
                    throw error
                } catch is EventStreamDecoder.Damage {
                    state = .finished
                    throw MagsError.badReply("an endless entry in a job's log, or none at all")
                } catch {
                    state = .finished
                    let reason = try reconnection.lost(error)
                    state = .disconnected
                    if let reason { return .interrupted(reason) }
                }
            }
        }

        private mutating func connect() async throws -> HTTPClientResponse.Body.AsyncIterator {
            let type = follows ? "text/event-stream" : "application/json"
            askedAfter = last
            var path = client.path(job, "logs") + "?after=\(last)"
            if follows { path += "&follow=1" }
            let response = try await client.transport.send(.GET, path, headers: ["Accept": type], within: nil)
            guard response.headers.first(name: "Content-Type")?.hasPrefix(type) == true else {
                throw MagsError.badReply("a job's log is not of type \(type)")
            }
            return response.body.makeAsyncIterator()
        }

        private mutating func take(_ item: Decoder.Item) throws -> Event? {
            switch item {
            case .failed(let bytes): throw Transport.Failure(try client.decode(ByteBuffer(bytes: bytes)))
            case .entry(let bytes):
                reconnection.progress()
                let entry: LogEntry = try client.decode(ByteBuffer(bytes: bytes))
                last = entry.seq
                return .entry(entry)
            case .ended(let bytes):
                state = .finished
                return .ended(try client.decode(ByteBuffer(bytes: bytes)))
            case .finished(let nextAfter):
                reconnection.progress()
                // One that leads no further would be asked for without end.
                guard let nextAfter, nextAfter > askedAfter else {
                    state = .finished
                    return nil
                }
                last = nextAfter
                state = .disconnected
                return nil
            }
        }
    }

    /// Of the two forms that a log is sent in.
    private enum Decoder {
        enum Item {
            case entry([UInt8])
            case ended([UInt8])
            /// The server ends the stream before the job's end, and says why.
            case failed([UInt8])
            case finished(nextAfter: Int?)
        }

        case events(EventStreamDecoder)
        case list(LogListDecoder)

        init(follows: Bool) { self = follows ? .events(EventStreamDecoder()) : .list(LogListDecoder()) }

        mutating func append(_ bytes: ByteBufferView) {
            switch self {
            case .events(var decoder):
                self = .list(LogListDecoder())
                decoder.append(bytes)
                self = .events(decoder)
            case .list(var decoder):
                self = .events(EventStreamDecoder())
                decoder.append(bytes)
                self = .list(decoder)
            }
        }

        mutating func next() throws -> Item? {
            switch self {
            case .events(var decoder):
                self = .list(LogListDecoder())
                defer { self = .events(decoder) }
                return try decoder.next().map {
                    switch $0.name {
                    case "end": .ended($0.data)
                    case "error": .failed($0.data)
                    default: .entry($0.data)
                    }
                }
            case .list(var decoder):
                self = .events(EventStreamDecoder())
                defer { self = .list(decoder) }
                return try decoder.next().map {
                    switch $0 {
                    case .entry(let bytes): .entry(bytes)
                    case .end(let nextAfter): .finished(nextAfter: nextAfter)
                    }
                }
            }
        }
    }
}
