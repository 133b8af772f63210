import MagsModel

extension Assignment {
    /// What one reader may have on its way, far above what any asks for.
    static let maximumReaderBytes = 1 << 30
    private static let maximumMemoryMebibytes = 1 << 30
    private static let maximumProcessors = 1 << 16

    /// The control plane faces the network and the node is root: numbers that no honest one sends, and that could not be
    /// reckoned with, end the connection.
    func check() throws(NodeFrameError) {
        switch self {
        case .follow(_, _, let offset, let credit):
            try Assignment.require(offset <= UInt64(Int64.max), "an offset of \(offset)")
            try Assignment.require((0...Assignment.maximumReaderBytes).contains(credit), "a credit of \(credit)")
        case .consume(_, let bytes):
            try Assignment.require((0...Assignment.maximumReaderBytes).contains(bytes), "\(bytes) bytes taken")
        case .start(let job): try Assignment.check(job)
        case .stop, .unfollow, .settle, .forget, .inventory, .pool, .diagnose: break
        }
    }

    private static func check(_ job: JobAssignment) throws(NodeFrameError) {
        try require(
            (1...Limits.maximumTimeoutSeconds).contains(job.timeoutSeconds), "a time limit of \(job.timeoutSeconds) s")
        try require(
            (1...maximumMemoryMebibytes).contains(job.memoryMebibytes), "\(job.memoryMebibytes) MiB of memory")
        try require((1...maximumProcessors).contains(job.processors), "\(job.processors) processors")
        if let size = job.diskGigabytes {
            try require((1...Limits.maximumDiskGigabytes).contains(size), "a disk of \(size) GiB")
        }
        let directory = job.directory ?? "/"
        try require(
            directory.utf8.count <= Limits.directoryBytes && !directory.utf8.contains(0), "a folder that cannot be one")
        try require(job.uploads.count <= Limits.filesPerJob, "\(job.uploads.count) files")
    }

    private static func require(_ isRight: Bool, _ what: @autoclosure () -> String) throws(NodeFrameError) {
        guard isRight else { throw NodeFrameError(reason: what()) }
    }
}
