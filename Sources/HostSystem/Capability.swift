/// What root may do. In a container root often lacks some of it.
enum Capability: UInt64 {
    case netAdmin = 12
    case sysAdmin = 21

    /// Whether this process may use it now.
    var isHeld: Bool { isHeld(status: (try? SystemFile.text("/proc/self/status")) ?? "") }

    func isHeld(status: String) -> Bool {
        let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        let digits = line?.dropFirst("CapEff:".count).drop { $0 == "\t" || $0 == " " }
        return digits.flatMap { UInt64($0, radix: 16) }.map { $0 & (1 << rawValue) != 0 } ?? false
    }
}
