import ControlPlane
import Foundation
import MagsAPI
import MagsModel
import NIOPosix
import Store
import Synchronization

@testable import HTTPServer

/// A server on a free port, its control plane behind it, and a token.
struct ServerFixture {
    enum Address: Sendable {
        case port(Int)
        case socket(String)
    }

    let it: Fixture
    let address: Address
    let token: String

    static func with(
        store: any Store = MemoryStore(), node: SmallNode = SmallNode(), pace: ConnectionRules.Pace = .init(),
        maximumReaders: Int = 100,
        _ change: @escaping @Sendable (inout APIServer.Configuration) -> Void = { $0.port = 0 },
        _ body: @escaping @Sendable (ServerFixture) async throws -> Void
    ) async throws {
        try await Fixture.with(store: store, node: node, maximumReaders: maximumReaders) { it in
            var configuration = APIServer.Configuration()
            configuration.endsOnSignals = false
            change(&configuration)
            let (ports, listening) = AsyncStream.makeStream(of: Int?.self)
            let server = APIServer(
                configuration: configuration, control: it.control, group: MultiThreadedEventLoopGroup.singleton,
                logger: Fixture.logger, pace: pace, onListening: { listening.yield($0) })
            let (token, _) = try await it.control.tokens.create(name: "test")
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    defer { listening.finish() }
                    do { try await server.run() } catch is CancellationError {}
                }
                var addresses = ports.makeAsyncIterator()
                guard let first = await addresses.next() else { return try await group.waitForAll() }
                let address = first.map(Address.port) ?? .socket(configuration.unixSocketPath ?? "")
                defer { group.cancelAll() }
                try await body(ServerFixture(it: it, address: address, token: token))
            }
        }
    }

    @discardableResult
    func call(
        _ method: String, _ path: String, token: String?? = .none, headers: [String] = [], body: String? = nil
    ) async throws -> Wire.Reply {
        try await Wire.with(address) { wire in
            try await wire.request(
                method, path, token: token ?? self.token, headers: headers, body: body.map { Array($0.utf8) })
            return try await wire.reply()
        }
    }

    func get<Value: Decodable>(_ type: Value.Type, _ path: String) async throws -> Value {
        try JSONDecoder().decode(type, from: Data(try await call("GET", path).body))
    }

    /// A job that runs already.
    func submit(_ body: String = #"{"script":"echo"}"#) async throws -> JobID {
        let reply = try await call("POST", "/api/v1/mags-jobs", body: body)
        let id = try JobID(JSONDecoder().decode(SubmitReply.self, from: Data(reply.body)).requestID)
        guard let id else { throw Wire.Ended() }
        return id
    }
}
