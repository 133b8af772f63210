/// What one server (one MAGS_HOME) owns on this host. Two homes never get the same name, index, uids or subnet.
package struct Instance: Sendable, Codable, Equatable {
    /// Eight hex digits of a hash of the home's real path: on everything that is made on the host.
    package var name: String
    package var index: Int
    /// First of 4,096 user ids; 0 when we are not root, and then everything runs as ourselves.
    package var uidBase: UInt32
    /// First address of a /22, in host byte order.
    package var subnet: UInt32

    package static let slotCount = 992
    static let uidCount: UInt32 = 4096
    static let prefixLength = 22

    package var bridgeName: String { "mags-\(index)" }
    package var bridgeAddress: String { IPv4.text(subnet + 1) }
    package var subnetText: String { "\(IPv4.text(subnet))/\(Self.prefixLength)" }

    /// Nil when we are not root.
    package var apiUID: UInt32? { uid(0) }
    package var edgeUID: UInt32? { uid(1) }
    package var resolverUID: UInt32? { uid(2) }
    /// A machine's own user and group, by its slot in `0..<slotCount`.
    package func machineUID(_ slot: Int) -> UInt32? { uid(16 + UInt32(slot)) }
    /// The machine's address on the bridge.
    package func machineAddress(_ slot: Int) -> String { IPv4.text(subnet + 16 + UInt32(slot)) }

    private func uid(_ offset: UInt32) -> UInt32? { uidBase == 0 ? nil : uidBase + offset }
}
