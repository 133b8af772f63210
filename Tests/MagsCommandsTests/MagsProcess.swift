import Dispatch
import Foundation

/// The built `mags` as a process, with an environment of its own.
struct MagsProcess {
    struct Result {
        var exitCode: Int32
        var stdout: Data
        var stderr: Data
        var out: String { String(decoding: stdout, as: UTF8.self) }
        var err: String { String(decoding: stderr, as: UTF8.self) }
        var json: [String: Any]? { try? JSONSerialization.jsonObject(with: stdout) as? [String: Any] }
    }

    let process = Process()
    private let stdout = Pipe()
    private let stderr = Pipe()
    private let end: AsyncStream<Void>

    /// Beside the test bundle, where the same build put it.
    static let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "mags")

    /// - Parameters:
    ///   - stdin: what it reads; an empty input by default.
    ///   - terminal: what its standard error is instead of a pipe.
    ///   - program: something else that is run like it.
    init(
        _ arguments: [String], environment: [String: String], stdin: String = "", terminal: FileHandle? = nil,
        program: URL = MagsProcess.program
    ) throws {
        process.executableURL = program
        process.arguments = arguments
        process.environment = environment
        process.standardOutput = stdout
        process.standardError = terminal ?? stderr
        let input = Pipe()
        process.standardInput = input
        let (end, continuation) = AsyncStream.makeStream(of: Void.self)
        self.end = end
        process.terminationHandler = { _ in continuation.finish() }
        try process.run()
        if terminal != nil { try stderr.fileHandleForWriting.close() }
        try input.fileHandleForWriting.write(contentsOf: Data(stdin.utf8))
        try input.fileHandleForWriting.close()
    }

    /// Waits until that many bytes of standard output have come, and takes them.
    func read(_ count: Int) async throws -> Data {
        let handle = stdout.fileHandleForReading
        return try await MagsProcess.apart { try handle.read(upToCount: count) ?? Data() }
    }

    /// Nobody reads its output from now on.
    func hangUp() throws { try stdout.fileHandleForReading.close() }

    func result(readsOutput: Bool = true) async throws -> Result {
        let (output, errors) = (stdout.fileHandleForReading, stderr.fileHandleForReading)
        async let out = MagsProcess.apart { readsOutput ? try output.readToEnd() ?? Data() : Data() }
        async let err = MagsProcess.apart { try errors.readToEnd() ?? Data() }
        let (stdout, stderr) = try await (out, err)
        for await _ in end {}
        return Result(exitCode: process.terminationStatus, stdout: stdout, stderr: stderr)
    }

    static func run(
        _ arguments: [String], environment: [String: String], stdin: String = "", program: URL = MagsProcess.program
    ) async throws -> Result {
        try await MagsProcess(arguments, environment: environment, stdin: stdin, program: program).result()
    }

    /// Reading a pipe blocks: on a thread of its own.
    private static func apart(_ work: @escaping @Sendable () throws -> Data) async throws -> Data {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Swift.Result { try work() }) }
        }
    }
}
