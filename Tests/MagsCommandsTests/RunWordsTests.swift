import APIDouble
import Foundation
import Testing

@Suite("The words of mags run")
struct RunWordsTests {
    @Test("names the option that was meant, wherever the script stands; behind -- everything is the script")
    func unknownOption() async throws {
        try await Session.with { session in
            for arguments in [
                ["--tmeout", "3", "x"], ["x", "--tmeout", "3"], ["--tmeout=3", "x"], ["--tmeout", "3", "x", "y"],
            ] {
                let result = try await MagsProcess.run(["run"] + arguments, environment: session.environment)
                #expect(result.exitCode == 64)
                #expect(result.err.contains("Did you mean '--timeout'?"), "\(result.err)")
                #expect(result.err.contains("mags run --help"), "\(result.err)")
            }
            #expect(session.double.server.requests.isEmpty)
            #expect(try await session.mags("run", "--", "--tmeout").exitCode == 0)
            #expect(session.double.submission?["script"] as? String == "--tmeout")
        }
    }

    @Test("says when a word that looks like a file is none, and runs it")
    func noSuchFile() async throws {
        try await Session.with { session in
            for word in ["./nofile.sh", "nofile.py", "bin/nofile"] {
                let result = try await session.mags("run", word)
                #expect(result.exitCode == 0)
                #expect(result.err.contains("there is no file '\(word)' here"))
                #expect(session.double.submission?["script"] as? String == word)
                #expect(try await session.mags("run", "-q", word).err.isEmpty)
            }
            let path = "\(session.home)/tool"
            try Data("x".utf8).write(to: URL(filePath: path))
            for script in ["true", "ls /", "-", "/uploads/tool"] {
                #expect(try await session.mags("run", "-f", path, script, stdin: "a/b").err.isEmpty, "\(script)")
            }
        }
    }

    @Test("speaks of its options where the server speaks of fields, and ends with 64")
    func ownWords() async throws {
        func refusal(_ text: String, _ hint: String) -> (status: Int, headers: [String: String], body: String) {
            let body =
                #"{"error": "\#(text)", "code": "invalid_field", "request_id": "r", "retryable": false, "hint": "\#(hint)"}"#
            return (400, [:], body)
        }
        for (text, hint, expected) in [
            ("rootfs_type is not available on this server yet.", "Leave it out.", "--type is not available"),
            ("persistent is not available on this server yet.", "Leave it out.", "-p is not available"),
            ("name must have 1 to 128 characters.", "", "-w must have 1"),
            ("file_ids names a file twice.", "", "-f names a file twice"),
            ("script is longer than 1 MiB.", "Upload it with POST /api/v1/mags-files", "as files, with -f"),
        ] {
            try await Session.with(answering: [refusal(text, hint)]) { session in
                let result = try await session.mags("run", "-w", "shop", "--type", "x", "true")
                #expect(result.exitCode == 64)
                #expect(result.err.contains(expected), "\(result.err)")
            }
        }
    }

    @Test("says when a variable that is to be handed on is not set")
    func unsetVariable() async throws {
        try await Session.with { session in
            let result = try await session.mags("run", "--env", "NOT_SET", "true")
            #expect(result.exitCode == 0)
            #expect(result.err.contains("--env NOT_SET: there is no such variable"))
            #expect(try await session.mags("run", "-q", "--env", "NOT_SET", "true").err.isEmpty)
        }
    }
}
