import CGuest

/// The cgroup of one exec: finds and reaches everything that it ever started.
final class Group {
    private static let parent = "/sys/fs/cgroup/execs"
    /// What a user's programs may never take of the memory: without it this program could not answer.
    private static let reservedMemory = 32 << 20

    private let path: String
    /// Open for writing: a process that writes "0" to it enters.
    let entrance: Int32

    init(_ name: String) throws(Failure) {
        path = "\(Group.parent)/\(name)"
        if mkdir(path, 0o755) != 0, guest_errno() != EEXIST {
            throw Failure(step: "make a cgroup", errno: guest_errno())
        }
        entrance = try Descriptors.open("\(path)/cgroup.procs", O_WRONLY)
    }

    deinit { close(entrance) }

    /// The limits of all execs together: neither processes without end nor memory without end stop the machine.
    static func prepare() throws(Failure) {
        try Descriptors.writeFile("/sys/fs/cgroup/cgroup.subtree_control", "+cpu +memory +pids")
        if mkdir(parent, 0o755) != 0, guest_errno() != EEXIST {
            throw Failure(step: "make a cgroup", errno: guest_errno())
        }
        if let total = number(in: Descriptors.readStart("/proc/meminfo")) {
            try Descriptors.writeFile("\(parent)/memory.max", "\(max(total * 1024 - reservedMemory, total * 512))")
        }
        if let threads = number(in: Descriptors.readStart("/proc/sys/kernel/threads-max")) {
            try Descriptors.writeFile("\(parent)/pids.max", "\(threads - threads / 4)")
        }
    }

    /// Stops everything of the user's where it stands. What is in the middle of a system call that does not end stops at
    /// its end: it runs nothing of its own meanwhile.
    static func hold() throws(Failure) {
        try freeze(true)
        for _ in 0..<1000 {
            let events = Descriptors.readStart("\(parent)/cgroup.events")
            if events.split(separator: UInt8(ascii: "\n")).contains(where: { $0.elementsEqual("frozen 1".utf8) }) {
                return
            }
            guest_doze()
        }
    }

    static func release() throws(Failure) { try freeze(false) }

    private static func freeze(_ isHeld: Bool) throws(Failure) {
        try Descriptors.writeFile("\(parent)/cgroup.freeze", Array((isHeld ? "1" : "0").utf8), mode: 0, flags: 0)
    }

    /// A signal for every process in it. Returns false when none is left.
    func signal(_ number: Int32) -> Bool {
        if number == SIGKILL { try? Descriptors.writeFile("\(path)/cgroup.kill", "1") }
        var found = false
        for line in Descriptors.readStart("\(path)/cgroup.procs", limit: 64 * 1024).split(separator: UInt8(ascii: "\n"))
        {
            guard let pid = Group.number(in: Array(line)) else { continue }
            found = true
            if number != SIGKILL { kill(pid_t(pid), number) }
        }
        return found
    }

    /// Removes it if nothing lives in it.
    func removeIfEmpty() -> Bool { rmdir(path) == 0 || guest_errno() == ENOENT }

    /// The first number in a text of the kernel's.
    private static func number(in text: [UInt8]) -> Int? {
        var value: Int?
        for byte in text {
            if (48...57).contains(byte) {
                value = (value ?? 0) * 10 + Int(byte - 48)
            } else if value != nil {
                break
            }
        }
        return value
    }
}
