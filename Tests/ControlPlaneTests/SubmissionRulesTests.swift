import ControlPlane
import MagsModel
import Store
import Testing

@Suite("A submission")
struct SubmissionRulesTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let code: String
        let change: @Sendable (inout Submission) -> Void
        init(_ name: String, _ code: String = "invalid_field", _ change: @escaping @Sendable (inout Submission) -> Void)
        {
            testDescription = name
            self.code = code
            self.change = change
        }
    }

    static let refused: [Case] = [
        Case("no script") { $0.script = "" },
        Case("a blank script") { $0.script = " \n\t" },
        Case("a script with NUL") { $0.script = "echo \0" },
        Case("a script above 1 MiB") { $0.script = String(repeating: "#", count: (1 << 20) + 1) },
        Case("an unknown type") { $0.type = "binary" },
        Case("an empty name") { $0.name = "" },
        Case("a blank name") { $0.name = "   " },
        Case("a long name") { $0.name = String(repeating: "n", count: 129) },
        Case("a name with a line feed") { $0.name = "a\nb" },
        Case("a name that turns the text's direction") { $0.name = "a\u{202E}b" },
        Case("a name of stacked marks") { $0.name = "a" + String(repeating: "\u{301}", count: 600) },
        Case("an empty workspace") { $0.workspaceID = "" },
        Case("a workspace with a slash") { $0.workspaceID = "a/b" },
        Case("a workspace that begins with a dot") { $0.workspaceID = ".." },
        Case("a workspace with an umlaut") { $0.workspaceID = "büro" },
        Case("a long workspace") { $0.workspaceID = String(repeating: "w", count: 64) },
        Case("too many variables") { submission in
            for number in 0...1024 { submission.environment["V\(number)"] = "" }
        },
        Case("too large an environment") { submission in
            for number in 0..<3 { submission.environment["V\(number)"] = String(repeating: "x", count: 100_000) }
        },
        Case("a variable that the kernel would not take") {
            $0.environment["V"] = String(repeating: "x", count: 1 << 17)
        },
        Case("a variable without a name") { $0.environment[""] = "x" },
        Case("a variable's name with =") { $0.environment["A=B"] = "x" },
        Case("a variable's name with NUL") { $0.environment["A\0"] = "x" },
        Case("a variable's value with NUL") { $0.environment["A"] = "x\0" },
        Case("too much memory by setting") { $0.environment["__MAGS_MEM_GB"] = "64" },
        Case("memory by setting that is no number") { $0.environment["__MAGS_MEM_GB"] = "2G" },
        Case("an unknown setting", "unknown_setting") { $0.environment["__MAGS_MEMGB"] = "2" },
        Case("an idle setting", "not_available_yet") { $0.environment["__MAGS_IDLE_MIN"] = "30" },
        Case("a keep-alive setting", "not_available_yet") { $0.environment["__MAGS_KEEP_ALIVE"] = "true" },
        Case("another image by setting", "not_available_yet") { $0.environment["__MAGS_ROOTFS_TYPE"] = "pi" },
        Case("no time") { $0.timeoutSeconds = 0 },
        Case("negative time") { $0.timeoutSeconds = -5 },
        Case("31 days") { $0.timeoutSeconds = 31 * 24 * 3600 },
        Case("three processors") { $0.processors = 3 },
        Case("no processors") { $0.processors = 0 },
        Case("no memory") { $0.memoryMebibytes = 0 },
        Case("more memory than half the host") { $0.memoryMebibytes = 4097 },
        Case("more memory than there are numbers") { $0.memoryMebibytes = .max },
        Case("65 files") { $0.fileIDs = (0..<65).map { "file-\($0)" } },
        Case("a file twice") { $0.fileIDs = ["file-1", "file-1"] },
        Case("persistent", "not_available_yet") { $0.isPersistent = true },
        Case("no_sleep", "not_available_yet") { $0.neverSleeps = true },
        Case("no_sync", "not_available_yet") { $0.neverSyncs = true },
        Case("startup_command", "not_available_yet") { $0.startupCommand = "serve" },
        Case("base_workspace_id", "not_available_yet") { $0.baseWorkspaceID = "base" },
        Case("no disk") { $0.diskGigabytes = 0 },
        Case("a negative disk") { $0.diskGigabytes = -1 },
        Case("a disk of more than 1 TiB") { $0.diskGigabytes = 1025 },
        Case("idle_minutes", "not_available_yet") { $0.idleMinutes = 5 },
        Case("another image", "not_available_yet") { $0.rootfsType = "claude" },
    ]

    private let rules = SubmissionRules(hostMemoryMebibytes: 8192)

    @Test("that breaks a rule is refused with 400 and a stable word", arguments: refused)
    func refuses(_ breach: Case) {
        var submission = Submission(owner: .administrator, script: "echo")
        breach.change(&submission)
        #expect { try rules.plan(submission) } throws: { error in
            let problem = error as? Problem
            return problem?.status == 400 && problem?.code == breach.code
        }
    }

    @Test("without anything else gets the defaults")
    func defaults() throws {
        let plan = try rules.plan(Submission(owner: .administrator, script: "echo"))
        #expect(plan.source == .text("echo"))
        #expect((plan.timeoutSeconds, plan.processors, plan.memoryMebibytes) == (86400, 1, 1024))
        #expect(plan.name == nil && plan.workspaceID == nil && plan.environment.isEmpty)
    }

    @Test("may say what it does not want")
    func harmless() throws {
        var submission = Submission(owner: .administrator, script: "echo")
        submission.startupCommand = ""
        submission.rootfsType = "standard"
        submission.environment = [
            "__MAGS_KEEP_ALIVE": "false", "__MAGS_ROOTFS_TYPE": "standard", "EMPTY": "", "ümläut-and space": "x",
        ]
        submission.name = String(repeating: "ü", count: 128)
        submission.workspaceID = "a." + String(repeating: "_", count: 61)
        let plan = try rules.plan(submission)
        #expect(plan.environment == ["EMPTY": "", "ümläut-and space": "x"])
    }

    @Test("has its memory rounded up", arguments: [(1, 256), (256, 256), (257, 512), (1000, 1024), (4096, 4096)])
    func rounds(wanted: Int, given: Int) throws {
        var submission = Submission(owner: .administrator, script: "echo")
        submission.memoryMebibytes = wanted
        #expect(try rules.plan(submission).memoryMebibytes == given)
    }

    @Test("keeps the size of its disk, or has none", arguments: [nil, 1, 1024])
    func keepsDisk(gigabytes: Int?) throws {
        var submission = Submission(owner: .administrator, script: "echo")
        submission.diskGigabytes = gigabytes
        #expect(try rules.plan(submission).diskGigabytes == gigabytes)
    }

    @Test("with a misspelt name gets the nearest one")
    func nearest() {
        let known = ["workspace_id", "file_ids", "timeout"]
        #expect(Nearest.name(to: "workspaceid", of: known) == "workspace_id")
        #expect(Nearest.name(to: "time_out", of: known) == "timeout")
        #expect(Nearest.name(to: "colour", of: known) == nil)
    }
}
