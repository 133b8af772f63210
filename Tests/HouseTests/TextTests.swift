import Testing

@Suite("The text of the house")
struct TextTests {
    static let allEndings = [".swift", ".c", ".h", ".sh", ".py", ".md"]

    @Test("has no file over 500 lines")
    func filesAreSmall() {
        let files = Tree.files(
            in: ["Sources", "Guest", "Tests", "Benchmarks", "script"], endingWith: [".swift", ".c", ".h", ".sh", ".py"])
        #expect(files.count > 50)
        #expect(files.filter { $0.lines.count > 501 }.map(\.path) == [])
    }

    @Test("says why wherever it may stop the process or sidesteps the compiler")
    func dangerIsExplained() {
        let found = Tree.swift.filter { !$0.path.hasPrefix("Tests/HouseTests/") }.flatMap { file in
            TextTests.unexplained(in: file.lines).map { "\(file):\($0)" }
        }
        #expect(found == [])
    }

    @Test("sees an unexplained danger, and lets an explained one pass")
    func dangerIsSeen() {
        #expect(TextTests.unexplained(in: ["let a = try! b()"]) == [1])
        #expect(TextTests.unexplained(in: ["let x = 1", "fatalError(\"no\")"]) == [2])
        #expect(TextTests.unexplained(in: ["// The table above has it.", "let a = try! b()"]) == [])
        #expect(TextTests.unexplained(in: ["let a = try! b()  // checked at start"]) == [])
        #expect(TextTests.unexplained(in: ["/// Never `try!` here."]) == [])
    }

    @Test("names no path of one machine and no host of a package registry")
    func nothingOfOneMachine() {
        // In two pieces each, or this file would name them itself.
        let forbidden = [
            "/wo" + "rk/main", "/wo" + "rk/shared", "/opt/" + "swift", "/root/" + "dev", "deb.debian" + ".org",
            "pypi" + ".org",
            "registry.npmjs" + ".org", "files.python" + "hosted",
        ]
        let folders = ["Sources", "Guest", "Tests", "Benchmarks", "script", "Images", "Documentation"]
        let papers = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(Tree.file)
        let scripts = ["up", "down", "test", "bench", "lint", "format"].map { Tree.file("script/\($0)") }
        for paper in papers + scripts { #expect(paper.lines.count > 3, "\(paper) is missing or empty") }
        let files = Tree.files(in: folders, endingWith: TextTests.allEndings) + papers + scripts
        let found = files.flatMap { file in
            forbidden.filter { word in file.lines.contains { $0.contains(word) } }.map { "\(file): \($0)" }
        }
        #expect(found == [])
    }

    /// Numbers of the lines that hold a danger with no comment beside or right above.
    static func unexplained(in lines: [String]) -> [Int] {
        let danger = /\btry!|\bfatalError\(|\bas! |@unchecked Sendable|nonisolated\(unsafe\)|\bpreconditionFailure\(/
        return lines.indices.filter { index in
            let line = lines[index]
            guard line.contains("!") || line.contains("(") || line.contains("@"),
                let found = line.firstMatch(of: danger)
            else { return false }
            if line[..<found.range.lowerBound].contains("//") || line[found.range.upperBound...].contains("//") {
                return false
            }
            let above = index > 0 ? lines[index - 1].trimmingPrefix { $0 == " " } : ""
            return !above.hasPrefix("//")
        }
        .map { $0 + 1 }
    }
}
