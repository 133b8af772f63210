import ArgumentParser
import MagsAPI
import MagsClient

/// Exit codes that are Mags' own. A script's own codes are handed on as they are.
enum MagsExit {
    static let doctorFoundBad: Int32 = 1
    static let usage: Int32 = 64
    static let timedOut: Int32 = 124
    static let failed: Int32 = 125
    static let brokenPipe: Int32 = 141

    /// What the server finds wrong with a request was wrong on the command line.
    static func code(of error: MagsError) -> Int32 { error.status == 400 ? usage : failed }
}

/// How an error ends the program.
enum Failure {
    /// Says what there is to say: usage and help as the parser words them, all else as `mags: …` on standard error and,
    /// when JSON was asked for, as one document on standard output.
    ///
    /// No document follows one that was begun.
    ///
    /// - Parameter command: what was running, if the command line got so far.
    /// - Returns: the exit code.
    static func tell(
        _ error: any Error, from command: any ParsableCommand.Type = MagsCommand.self, asJSON: Bool
    ) async -> Int32 {
        switch error {
        case is ClosedPipe: return MagsExit.brokenPipe
        case let error as MagsError:
            await Console.complain(error.message)
            if let hint = error.hint { await Console.complain(hint) }
            if asJSON { await document(error) }
            return MagsExit.code(of: error)
        case is CancellationError:
            return await tell(Interrupted(signal: 2), asJSON: asJSON)
        case let interrupted as Interrupted:
            if asJSON {
                let text = interrupted.outcome ?? "interrupted by signal \(interrupted.signal)"
                await document(MagsError("interrupted", text))
            }
            return 128 + interrupted.signal
        // The command has said everything.
        case let code as ExitCode: return code.rawValue
        default: return await tellUsage(error, of: command, asJSON: asJSON)
        }
    }

    private static func document(_ error: MagsError) async {
        guard !StandardStream.output.hasBegun else { return }
        try? await Console.print(json: ErrorReply(error))
    }

    private static func tellUsage(
        _ error: any Error, of command: any ParsableCommand.Type, asJSON: Bool
    ) async -> Int32 {
        let code = command.exitCode(for: error).rawValue
        let text = command.fullMessage(for: error)
        if !text.isEmpty {
            let stream = code == 0 ? StandardStream.output : .error
            try? await stream.write(text.hasSuffix("\n") ? text : text + "\n")
        }
        if asJSON, code != 0 {
            await document(
                MagsError("usage", command.message(for: error), hint: "`mags help` shows the grammar"))
        }
        return code
    }
}

extension ErrorReply {
    init(_ error: MagsError) {
        self.init(
            error: error.message, code: error.code, requestID: error.requestID ?? "", hint: error.hint,
            retryable: error.isRetryable)
    }
}
