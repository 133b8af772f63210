internal import Glibc

/// Addresses by the host's own rules: its hosts file, its name services, its name servers. Blocks.
enum HostLookup {
    enum Result: Equatable, Sendable {
        case addresses([[UInt8]])
        case noSuchName
        case failed
    }

    private static let mostAddresses = 64

    static func addresses(of name: String) -> Result {
        var hints = addrinfo()
        hints.ai_family = AF_INET
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(name, nil, &hints, &list)
        defer { if let list { freeaddrinfo(list) } }
        switch code {
        case 0: break
        case EAI_NONAME: return .noSuchName
        case noAddress: return .addresses([])
        default: return .failed
        }
        var found: [[UInt8]] = []
        var next = list
        while let entry = next, found.count < mostAddresses {
            if let address = bytes(entry.pointee), !found.contains(address) { found.append(address) }
            next = entry.pointee.ai_next
        }
        return .addresses(found)
    }

    /// EAI_NODATA: the name is there, but has no address of this family. GNU's, and not imported.
    private static let noAddress: Int32 = -5

    private static func bytes(_ entry: addrinfo) -> [UInt8]? {
        guard entry.ai_family == AF_INET, let address = entry.ai_addr else { return nil }
        return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { pointer in
            withUnsafeBytes(of: pointer.pointee.sin_addr) { Array($0) }
        }
    }
}
