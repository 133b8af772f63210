/// A route of the host's, as far as we look at it.
struct Route: Equatable, Sendable {
    var device: String
    var network: Network

    /// Of the calling thread's namespace; without the default route, which covers everything.
    static func all() throws(HostError) -> [Route] { parse(try SystemFile.text("/proc/thread-self/net/route")) }

    /// The kernel writes addresses in hexadecimal in memory order.
    static func parse(_ table: String) -> [Route] {
        table.split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
            guard fields.count > 7, let address = UInt32(fields[1], radix: 16), let mask = UInt32(fields[7], radix: 16),
                mask != 0
            else { return nil }
            return Route(
                device: String(fields[0]), network: Network(address.byteSwapped, mask.byteSwapped.nonzeroBitCount))
        }
    }
}
