import ArgumentParser
import Foundation
import HostSystem
import MagsModel

/// Looks at this host without a running server.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Say what this host can do for Mags, what is weaker and how to mend it.",
        discussion: "Exits 1 when something is wrong that keeps machines from running.")

    @OptionGroup var home: Home
    @Flag(help: "Print one JSON document.") var json = false

    func run() async throws {
        let findings = await Diagnosis.hostFindings(home: home.home)
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            print(String(decoding: try encoder.encode(["findings": findings]), as: UTF8.self))
        } else {
            for finding in findings {
                print(
                    "\(finding.grade.rawValue.padding(toLength: 7, withPad: " ", startingAt: 0)) \(finding.subject): \(finding.text)"
                )
                if let remedy = finding.remedy { print("        \(remedy)") }
            }
        }
        if findings.contains(where: { $0.grade == .bad }) { throw ExitCode.failure }
    }
}
