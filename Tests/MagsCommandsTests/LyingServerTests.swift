import APIDouble
import Foundation
import Testing

/// What comes from a server is not believed.
@Suite("A server that lies")
struct LyingServerTests {
    private static let evil = "evil\u{1B}[2J\u{9B}31m\u{202E}\u{7F}"
    private static let most = Int.max

    private static func json(_ value: [String: Any]) throws -> String {
        String(decoding: try JSONSerialization.data(withJSONObject: value), as: UTF8.self)
    }

    /// Without anything that a terminal would obey, or that would turn the direction of writing.
    private static func isHarmless(_ result: MagsProcess.Result) -> Bool {
        [result.stdout, result.stderr].allSatisfy { data in
            String(decoding: data, as: UTF8.self).unicodeScalars.allSatisfy {
                $0 == "\n" || !($0.value < 32 || (127..<160).contains($0.value) || $0 == "\u{202E}")
            }
        }
    }

    @Test("about its numbers ends no command", arguments: [Int.max, Int.min, 0, -1])
    func numbers(number: Int) async throws {
        let status: [String: any Sendable] = [
            "exit_code": number, "script_duration_ms": number, "timeout": number, "vcpus": number,
            "memory_mb": number, "disk_gb": number, "idle_minutes": number,
        ]
        let list = try LyingServerTests.json(["jobs": [], "total": number, "page": number, "page_size": number])
        try await Session.with(MagsDouble.Part(status: status), answering: [(200, [:], list)]) { session in
            #expect(try await session.mags("list").exitCode == 0)
            #expect(try await session.mags("list").exitCode == 0)
            #expect(try await session.mags("status", MagsDouble.job).out.contains("\(number)"))
            let ran = try await session.mags("run", "true")
            #expect((0...255).contains(ran.exitCode))
            #expect((ran.exitCode == 0) == (number == 0))
        }
    }

    @Test("about what is missing, or asks to wait for ever, ends no command")
    func holes() async throws {
        let holes = [Int.max, Int.max, Int.min, -1].map {
            (kind: UInt8(4), payload: Array(#"{"stream":"stdout","bytes":\#($0)}"#.utf8))
        }
        try await Session.with(MagsDouble.Part(holes)) { session in
            let ran = try await session.mags("run", "true")
            #expect(ran.exitCode == 125)
        }
        let refusal = (status: 429, headers: ["Retry-After": "\(Int.max)"], body: "{}")
        try await Session.with(answering: [refusal, refusal]) { session in
            let (ran, listed) = (try await session.mags("run", "true"), try await session.mags("list"))
            #expect((ran.exitCode, listed.exitCode) == (125, 125))
        }
    }

    @Test("in its texts is shown, not obeyed, by every command")
    func controls() async throws {
        let evil = LyingServerTests.evil
        let texts: [String: any Sendable] = Dictionary(
            uniqueKeysWithValues: [
                "name", "status", "script_status", "vm_status", "vm_id", "workspace_id", "url", "created_at",
                "started_at", "finished_at", "error", "error_code", "image", "accelerator",
            ].map { ($0, evil) })
        let part = MagsDouble.Part(
            [(3, Array(evil.utf8))], status: texts.merging(["exit_code": NSNull()]) { $1 })
        let frame: [(kind: UInt8, payload: [UInt8])] = [
            (4, Array(try LyingServerTests.json(["stream": evil, "bytes": 1]).utf8))
        ]
        try await Session.with(part) { session in
            for arguments in [
                ["status", MagsDouble.job], ["list"], ["logs", MagsDouble.job], ["logs", "-f", MagsDouble.job],
                ["logs", "--after", "0", MagsDouble.job, "--json"], ["run", "x"], ["run", "x", "--json"],
                ["status", MagsDouble.job, "--json"], ["list", "--json"],
            ] {
                let result = try await MagsProcess.run(arguments, environment: session.environment)
                #expect(LyingServerTests.isHarmless(result), "\(arguments)")
                let isQuiet = arguments[0] == "run" && !arguments.contains("--json")
                #expect(isQuiet || (result.out + result.err).contains("evil"), "\(arguments)")
            }
        }
        try await Session.with(MagsDouble.Part(frame)) { session in
            let result = try await session.mags("run", "x")
            #expect(LyingServerTests.isHarmless(result))
        }
    }

    @Test(
        "in the replies to calls is shown, not obeyed",
        arguments: [
            (["stop", "j"], ["success": true, "status": LyingServerTests.evil]),
            (["run", "-d", "x"], ["request_id": LyingServerTests.evil, "status": "accepted", "message": ""]),
            (
                ["whoami"],
                ["name": LyingServerTests.evil, "organisation": LyingServerTests.evil, "token_name": "\u{9B}"]
            ),
            (
                ["list"],
                [
                    "error": LyingServerTests.evil, "code": LyingServerTests.evil, "request_id": "", "retryable": false,
                    "hint": LyingServerTests.evil,
                ]
            ),
            (["login", "--token", "t"], ["name": LyingServerTests.evil, "organisation": "o", "token_name": "t"]),
        ] as [([String], [String: any Sendable])])
    func replies(arguments: [String], reply: [String: any Sendable]) async throws {
        let status = reply["error"] == nil ? 200 : 400
        var answers = [(status, [:], try LyingServerTests.json(reply))] as [(Int, [String: String], String)]
        if arguments[0] == "stop" {
            let job = MagsDouble.Part().fullStatus(MagsDouble.job)
            answers.insert((200, [:], try LyingServerTests.json(job)), at: 0)
        }
        for json in [[], ["--json"]] {
            try await Session.with(answering: answers) { session in
                let result = try await MagsProcess.run(arguments + json, environment: session.environment)
                #expect(LyingServerTests.isHarmless(result), "\(result.out) \(result.err)")
                #expect((result.out + result.err).contains("evil"), "\(result.out) \(result.err)")
            }
        }
    }
}
