import MagsModel

/// What a job needs of its machine.
package struct ClaimRequest: Sendable, Equatable {
    package var memoryMebibytes: Int
    package var processors: Int
    package var image: String
    /// The size of the machine's own disk, which holds every change; nil: changes go to a small throw-away layer.
    package var diskGigabytes: Int?

    package init(
        memoryMebibytes: Int = Limits.defaultMemoryMebibytes, processors: Int = Limits.defaultProcessors,
        image: String = "standard", diskGigabytes: Int? = nil
    ) {
        self.memoryMebibytes = memoryMebibytes
        self.processors = processors
        self.image = image
        self.diskGigabytes = diskGigabytes
    }
}

/// The pool in numbers.
package struct PoolCounts: Sendable, Equatable {
    package var idle = 0
    package var busy = 0
    /// Being restored or warmed.
    package var warming = 0
    package var restingSize = 0
    /// Claims that wait for a machine.
    package var waiting = 0
}
