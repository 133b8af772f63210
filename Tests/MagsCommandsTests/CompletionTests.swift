import APIDouble
import Foundation
import Testing

@Suite("Completion of a job")
struct CompletionTests {
    /// What the shells ask for at `mags stop `.
    private static let arguments = ["---completion", "stop", "--", "positional@0", "0", "0"]

    /// A server whose jobs somebody named so that a shell which expands them makes the file.
    private static func with(_ body: (Session, _ file: String) async throws -> Void) async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "mags-ran-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: file) }
        var part = MagsDouble.Part(status: ["name": "nightly_2.0@x+y"])
        let names = [
            "$(touch \(file))", "`touch \(file)`", "it's", "a\"b", "<(touch \(file))", "x;touch \(file)", "${HOME}",
            "~",
            "{a,b}", "a\\b", "a b", "a:b", "-q", "nächste", "safe-name",
        ]
        part.others = names.enumerated().map { ($1, "id-\($0)") } + [("other", "$(touch \(file))")]
        try await Session.with(part) { try await body($0, file) }
    }

    private static func words(_ text: String) -> [String] {
        text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    private static let offered =
        ["nightly_2.0@x+y", "safe-name", "other", MagsDouble.job] + (0..<15).map { "id-\($0)" }

    @Test("offers names and ids that a shell takes as they are, and no others; nothing without a server")
    func words() async throws {
        try await CompletionTests.with { session, _ in
            let known = try await MagsProcess.run(CompletionTests.arguments, environment: session.environment)
            #expect(Set(CompletionTests.words(known.out)) == Set(CompletionTests.offered), "\(known.out)")
            await session.double.server.stop()
            let alone = try await MagsProcess.run(CompletionTests.arguments, environment: session.environment)
            #expect(alone.exitCode == 0)
            #expect(alone.out.allSatisfy(\.isWhitespace) && alone.err.isEmpty)
        }
    }

    @Test("runs nothing in bash that a job is named after, and offers the others")
    func bash() async throws {
        let script = """
            source <("$MAGS" completions bash) || exit 3
            complete -p mags >/dev/null || exit 4
            complete_word() {
                COMP_WORDS=("$MAGS" stop "$1") COMP_CWORD=2 COMP_LINE="$MAGS stop $1" COMPREPLY=()
                COMP_POINT=${#COMP_LINE}
                _mags "$MAGS" "$1" stop
            }
            complete_word ''
            printf '%s\\n' "${COMPREPLY[@]}"
            complete_word nigh
            [ "${COMPREPLY[*]}" = nightly_2.0@x+y ] || exit 5
            """
        try await CompletionTests.with { session, file in
            var environment = session.environment
            environment["MAGS"] = MagsProcess.program.path
            environment["PATH"] = "/usr/bin:/bin"
            let result = try await MagsProcess.run(
                ["--norc", "-c", script], environment: environment, program: URL(filePath: "/bin/bash"))
            #expect(result.exitCode == 0, "\(result.err)")
            #expect(!FileManager.default.fileExists(atPath: file), "a job's name was run")
            let words = CompletionTests.words(result.out).filter { !$0.hasPrefix("-") }
            #expect(Set(words) == Set(CompletionTests.offered), "\(result.out)")
        }
    }
}
