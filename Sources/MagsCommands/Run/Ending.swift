import MagsAPI

/// How the end of what ran becomes that of `mags`: an exit code, and a sentence when it did not end by itself.
struct Ending: Equatable {
    var exitCode: Int32
    var text: String?

    init(_ status: JobStatus) {
        if status.errorCode == "timed_out" || (status.exitCode == 124 && status.error?.contains("timed out") == true) {
            exitCode = MagsExit.timedOut
            text = "timed out after \(status.timeout) s"
        } else if status.scriptStatus == "stopped" || status.status == "stopped" {
            // What the script made of the signal is not how its job ended.
            exitCode = MagsExit.failed
            let loss = status.errorCode == "output_not_kept" ? status.error.map { "\n\($0)" } : nil
            text = "job \(status.requestID) was stopped\(loss ?? "")"
        } else if status.exitCode != nil, status.errorCode == "output_not_kept" {
            self = .incomplete("job \(status.requestID)", status.exitCode)
        } else if let code = status.exitCode {
            exitCode = Ending.code(code)
            text = nil
        } else if status.scriptStatus == "completed" || status.status == "completed" {
            exitCode = 0
            text = nil
        } else {
            exitCode = MagsExit.failed
            text = "job \(status.requestID) failed: \(status.error ?? "the server does not say why")"
        }
    }

    init(_ status: ExecStatus) {
        if status.timedOut {
            self.init(exitCode: MagsExit.timedOut, text: "timed out after \(status.timeout) s")
        } else if status.errorCode == "stopped" {
            self.init(exitCode: MagsExit.failed, text: "the command was stopped")
        } else if status.exitCode != nil, status.errorCode == "output_not_kept" {
            self = .incomplete("the command", status.exitCode)
        } else if let code = status.exitCode {
            self.init(exitCode: Ending.code(code), text: nil)
        } else {
            let reason = status.error ?? "the server does not say why"
            self.init(exitCode: MagsExit.failed, text: "the command failed: \(reason)")
        }
    }

    private init(exitCode: Int32, text: String?) {
        self.exitCode = exitCode
        self.text = text
    }

    /// Of something whose output is not whole: never like success, whatever it ended with.
    static func incomplete(_ what: String, _ exitCode: Int?) -> Ending {
        let own = exitCode.map { "; its own exit code is \($0)" } ?? ""
        return Ending(exitCode: MagsExit.failed, text: "the output of \(what) is not complete\(own)")
    }

    /// What does not fit a process's exit code must at least not look like success.
    private static func code(_ value: Int) -> Int32 {
        if (0...255).contains(value) { return Int32(value) }
        let low = Int32(truncatingIfNeeded: value & 255)
        return low == 0 ? 1 : low
    }
}
