internal import Dispatch
internal import Glibc

/// The host's own programs that we use instead of speaking to the kernel ourselves. They read their orders from a file in
/// memory and write into one, so no pipe has to be served while they run.
enum HostTool {
    private static let folders = ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/local/bin"]
    private static let limit = DispatchTimeInterval.seconds(20)

    static func path(_ name: String) -> String? {
        folders.lazy.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    /// Its standard output. `descriptors` are for numbers from 3 on.
    @discardableResult
    static func run(
        _ name: String, _ arguments: [String], input: String = "", in namespace: FileDescriptor? = nil,
        descriptors: [Int32: FileDescriptor] = [:]
    ) async throws(HostError) -> String {
        guard let path = path(name) else {
            throw HostError(
                "tool_missing", "The program \(name) is not installed.", hint: "Install it and start again.")
        }
        let orders = try FileDescriptor.memfd(name: "orders")
        try SystemFile.write(input, to: orders, named: "the orders for \(name)")
        lseek(orders.rawValue, 0, SEEK_SET)
        let output = try FileDescriptor.memfd(name: "output")
        let complaints = try FileDescriptor.memfd(name: "complaints")
        var all = descriptors
        all[0] = orders
        all[1] = output
        all[2] = complaints
        let spec = ProcessSpec(
            program: path, arguments: [name] + arguments,
            environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"],
            descriptors: all, networkNamespace: namespace)
        let process = try await SystemThread.perform { () throws(HostError) in try ChildProcess.spawn(spec) }
        let alarm = DispatchWorkItem { process.signal(SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + limit, execute: alarm)
        let status = await process.waitForExit()
        alarm.cancel()
        guard status.isSuccess else {
            let said = (try? SystemFile.text(of: complaints, named: name)) ?? ""
            let reason = said.split(separator: "\n").prefix(3).joined(separator: " ")
            throw HostError("tool_failed", "\(name) \(status): \(reason.isEmpty ? "it gave no reason" : reason)")
        }
        return try SystemFile.text(of: output, named: name)
    }
}
