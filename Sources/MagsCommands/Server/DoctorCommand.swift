import ArgumentParser
import MagsAPI
import MagsClient
import MagsModel

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Look for what is wrong, here and on the server.",
        discussion:
            "The exit code is 1 when something is wrong, and 0 when things are merely weaker than they could be.")

    @OptionGroup var output: JSONOption

    func run() async throws {
        let findings = await ClientCheckup(environment: Console.environment).findings()
        if output.json {
            try await Console.print(json: DoctorReply(findings: findings))
        } else {
            let usesColour = Console.usesColour(on: .output)
            try await Console.print(findings.map { DoctorCommand.text($0, usesColour) }.joined(separator: "\n"))
        }
        if findings.contains(where: { $0.grade == .bad }) { throw ExitCode(MagsExit.doctorFoundBad) }
    }

    private static func text(_ finding: Finding, _ usesColour: Bool) -> String {
        let (word, colour) =
            switch finding.grade {
            case .good: ("good  ", 32)
            case .weaker: ("weaker", 33)
            case .bad: ("bad   ", 31)
            }
        let mark = usesColour ? "\u{1B}[\(colour)m\(word)\u{1B}[0m" : word
        let remedy = finding.remedy.map { "\n        → \(printable($0))" } ?? ""
        return "\(mark)  \(printable(finding.subject)): \(printable(finding.text))\(remedy)"
    }
}
