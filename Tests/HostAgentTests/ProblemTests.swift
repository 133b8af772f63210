import Machines
import Testing

@testable import HostAgent

@Suite("A job that got no machine")
struct ProblemTests {
    @Test(
        "says whether the host's disk or the host itself is the trouble",
        arguments: [("node_disk_full", 507), ("claim_refused", 503)])
    func says(code: String, status: Int) {
        #expect(HostAgent.status(of: MachineError(code, "No machine.")) == status)
    }
}
