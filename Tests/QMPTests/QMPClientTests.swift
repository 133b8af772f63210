import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import QMP

@Suite("A client of QEMU's monitor")
struct QMPClientTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    @Test("knows the version from the greeting and gets the value of a command")
    func greetsAndRuns() async throws {
        try await MonitorServer.with(
            answer: { command, id in
                .line(#"{"id": \#(id), "return": {"status": "\#(command)", "running": true, "n": [1, -2, 0.5, null]}}"#)
            },
            { server in
                let client = try await QMPClient.connect(path: server.path, on: loop)
                #expect(try await client.version.get() == "7.2.22")
                let value = try await client.run(.queryStatus)
                #expect(value["status"]?.text == "query-status")
                #expect(value["running"]?.bool == true)
                #expect(value["n"] == [1, -2, .number(0.5), .null])
                client.close()
            })
    }

    @Test("matches answers by their number, whatever their order")
    func ordersByNumber() async throws {
        let held = Mutex<String?>(nil)
        try await MonitorServer.with(
            answer: { command, id in
                let line = #"{"return": "\#(command)", "id": \#(id)}"# + "\r\n"
                return held.withLock { first in
                    guard let earlier = first else {
                        first = line
                        return .nothing
                    }
                    return MonitorServer.Answer(bytes: line + earlier)
                }
            },
            { server in
                let client = try await QMPClient.connect(path: server.path, on: loop)
                async let first = client.run(QMPCommand("one"))
                async let second = client.run(QMPCommand("two"))
                #expect(try await first.text == "one")
                #expect(try await second.text == "two")
                client.close()
            })
    }

    @Test("throws QEMU's own words when a command is refused, and goes on")
    func refuses() async throws {
        try await MonitorServer.with(
            answer: { command, id in
                command == "bad"
                    ? .line(#"{"error": {"class": "GenericError", "desc": "no such thing"}, "id": \#(id)}"#)
                    : .line(#"{"return": {}, "id": \#(id)}"#)
            },
            { server in
                let client = try await QMPClient.connect(path: server.path, on: loop)
                await #expect(throws: QMPError(.refused, "QEMU refused bad: no such thing")) {
                    try await client.run([QMPCommand("good"), QMPCommand("bad"), QMPCommand("good")])
                }
                #expect(try await client.run(QMPCommand("good")) == [:])
                client.close()
            })
    }

    @Test("hands events on, with their data")
    func tellsEvents() async throws {
        let (events, tell) = AsyncStream.makeStream(of: QMPEvent.self)
        try await MonitorServer.with(
            answer: { _, id in
                .line(
                    #"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}"# + "\r\n"
                        + #"{"event": "MIGRATION", "data": {"status": "completed"}}"#
                        + "\r\n{\"return\": {}, \"id\": \(id)}")
            },
            { server in
                let client = try await QMPClient.connect(path: server.path, on: loop) { tell.yield($0) }
                _ = try await client.run(.stop)
                tell.finish()
                var seen: [QMPEvent] = []
                for await event in events { seen.append(event) }
                #expect(
                    seen == [
                        QMPEvent(name: "STOP"), QMPEvent(name: "MIGRATION", data: ["status": "completed"]),
                    ])
                client.close()
            })
    }

    @Test("fails every waiter when the other side ends")
    func failsAllAtTheEnd() async throws {
        let answer = { @Sendable (command: String, _: Int64) in
            MonitorServer.Answer(bytes: "", closes: command == "end")
        }
        try await MonitorServer.with(answer: answer) { server in
            let client = try await QMPClient.connect(path: server.path, on: loop)
            let one = Task { try await client.run(QMPCommand("one")) }
            await #expect(throws: QMPError(.closed, "QEMU has closed its monitor.")) {
                try await client.run(QMPCommand("end"))
            }
            await #expect(throws: QMPError.self) { try await one.value }
            await #expect(throws: QMPError.self) { try await client.run(QMPCommand("later")) }
        }
    }

    @Test("a QEMU that ends with a command unread has closed its monitor, whatever the socket calls it")
    func resetIsAnEnd() async throws {
        let silence = { @Sendable (_: String, _: Int64) in MonitorServer.Answer.nothing }
        try await MonitorServer.with(reads: false, answer: silence) { server in
            let client = try await QMPClient.connect(path: server.path, on: loop)
            // The first command goes out on the loop; behind it, its bytes lie in the server's socket.
            try await loop.submit {}.get()
            try await server.hangUp()
            await #expect(throws: QMPError(.closed, "QEMU has closed its monitor.")) {
                try await client.run(QMPCommand("later"))
            }
        }
    }

    @Test("gives a command up after its deadline, and takes no late answer for another's")
    func timesOut() async throws {
        let silent = Mutex<Int64?>(nil)
        try await MonitorServer.with(
            answer: { command, id in
                guard command == "loud" else {
                    silent.withLock { $0 = id }
                    return .nothing
                }
                let late = silent.withLock { $0.map { #"{"return": "late", "id": \#($0)}"# + "\r\n" } } ?? ""
                return .line(late + #"{"return": "loud", "id": \#(id)}"#)
            },
            { server in
                let client = try await QMPClient.connect(path: server.path, on: loop)
                let error = await #expect(throws: QMPError.self) {
                    try await client.run(QMPCommand("silent"), within: .milliseconds(1))
                }
                #expect(error?.code == .timedOut)
                #expect(try await client.run(QMPCommand("loud")).text == "loud")
                client.close()
            })
    }

    /// What a server says instead of a greeting, or behind one.
    enum Nonsense: String, CaseIterable {
        case noJSON = "no JSON\n"
        case list = "[1, 2]\n"
        case otherObject = #"{"other": 1}"#
        case answerFirst = #"{"return": {}, "id": 1}"#
        case errorWithoutNumber = #"{"QMP": {}}LF{"error": {"class": "GenericError", "desc": "JSON parse error"}}"#
        case endlessLine

        var bytes: String {
            self == .endlessLine
                ? String(repeating: "x", count: QMPLineDecoder.maximumLine + 2)
                : rawValue.replacing("LF", with: "\n") + "\n"
        }
    }

    @Test("closes on what a monitor never says", arguments: Nonsense.allCases)
    func refusesNonsense(nonsense: Nonsense) async throws {
        try await MonitorServer.with(
            greeting: nonsense.bytes, answer: { _, _ in .nothing },
            { server in
                let client = try await QMPClient.connect(path: server.path, on: loop)
                let error = await #expect(throws: QMPError.self) { try await client.run(QMPCommand("x")) }
                #expect(error?.code == .protocolViolation || error?.code == .closed)
                try await client.closed.get()
            })
    }

    @Test("says so when nobody listens")
    func isUnreachable() async throws {
        let error = await #expect(throws: QMPError.self) {
            try await QMPClient.connect(path: "/tmp/mags-no-such-socket", on: loop)
        }
        #expect(error?.code == .unreachable)
    }
}
