import CGuest
import GuestWire

/// What makes one machine differ from every other clone of its template. Its files are open from the template on, so
/// that a claim only writes into them.
final class Identity {
    static let defaultHostName = "mags-vm"
    private static let machineFiles = ["/etc/machine-id", "/var/lib/dbus/machine-id"]
    private static let unclaimed = String(repeating: "0", count: 32)

    private let randomness: Randomness
    private let machineIDs: [OpenFile]
    private let bootID: OpenFile

    /// In the template: the default name, and a file in the place of the kernel's boot id, which is made at its first
    /// reading and would then be the same in every clone.
    init(_ randomness: Randomness) throws(Failure) {
        let bootFile = Root.runtime + "/boot_id"
        try Identity.name(Identity.defaultHostName)
        // With as many bytes as later, so that a claim writes over them in place.
        try Identity.replace(machineID: Identity.unclaimed)
        try Descriptors.writeFile(bootFile, "00000000-0000-4000-8000-000000000000\n", mode: 0o444)
        try Descriptors.check(
            mount(bootFile, "/proc/sys/kernel/random/boot_id", nil, guest_bind, nil), "hide the kernel's boot id")
        self.randomness = randomness
        bootID = try OpenFile(bootFile, O_WRONLY)
        var files: [OpenFile] = []
        for path in Identity.machineFiles where access(path, F_OK) == 0 { files.append(try OpenFile(path, O_WRONLY)) }
        machineIDs = files
    }

    /// - Parameter moveToDisk: for a claim with a disk: changes the root, after randomness and clock are right.
    func take(_ claim: Claim, moveToDisk: () throws(Failure) -> Void) throws(Failure) {
        try randomness.reseed(claim.seed)
        try Descriptors.checkError(guest_set_clock(claim.time), "set the clock")
        guard Identity.isHostName(claim.hostName) else { throw Failure(step: "set the host name", errno: EINVAL) }
        guard claim.machineID.utf8.count == 32, claim.machineID.utf8.allSatisfy(Identity.isHexadecimal) else {
            throw Failure(step: "set the machine id", errno: EINVAL)
        }
        if claim.diskBytes > 0 {
            try moveToDisk()
            try Identity.settle(hostName: claim.hostName, machineID: claim.machineID)
        } else {
            if guest_has_host_name(claim.hostName) == 0 { try Identity.name(claim.hostName) }
            for file in machineIDs { try file.overwrite(Array(claim.machineID.utf8) + [UInt8(ascii: "\n")]) }
        }
        try bootID.overwrite(Identity.newUUID() + [UInt8(ascii: "\n")])
    }

    /// A claim's whole way, with the machine's own name and time and no identity.
    func rehearse(seed: [UInt8]) throws(Failure) {
        do throws(WireError) {
            let padded = (0..<64).map { seed[$0 % seed.count] }
            let claim = Claim(
                nonce: Resume.unclaimedKey, seed: padded, time: guest_clock(), machineID: Identity.unclaimed,
                hostName: Identity.defaultHostName)
            let rehearsed = try Claim(claim.frame())
            do throws(Failure) { try take(rehearsed) {} } catch { throw .badValue }
            _ = try Claimed(Claimed(nonce: rehearsed.nonce).frame())
        } catch {
            throw Failure(step: "rehearse a claim", errno: EINVAL)
        }
    }

    /// What a claim does in the root on a disk.
    static func rehearseSettling() throws(Failure) { try settle(hostName: defaultHostName, machineID: unclaimed) }

    /// In a root that is not the template's.
    private static func settle(hostName: String, machineID: String) throws(Failure) {
        try name(hostName)
        try replace(machineID: machineID)
        try Network.nameTheResolver()
    }

    private static func name(_ name: String) throws(Failure) {
        try Descriptors.checkError(guest_set_host_name(name), "set the host name")
        try Root.replace("/etc/hostname", name + "\n")
        try Root.replace("/etc/hosts", "127.0.0.1\tlocalhost \(name)\n::1\tlocalhost ip6-localhost ip6-loopback\n")
    }

    private static func replace(machineID: String) throws(Failure) {
        for path in machineFiles where access(path, F_OK) == 0 || path == machineFiles[0] {
            try Root.replace(path, machineID + "\n", mode: 0o444)
        }
    }

    /// Random, of version 4, from the kernel's randomness as it is now.
    private static func newUUID() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        var bytes = (0..<16).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for (index, byte) in bytes.enumerated() {
            if index == 4 || index == 6 || index == 8 || index == 10 { text.append(UInt8(ascii: "-")) }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return text
    }

    private static func isHostName(_ name: String) -> Bool {
        let bytes = name.utf8
        guard (1...63).contains(bytes.count), bytes.first != UInt8(ascii: "-") else { return false }
        return bytes.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool { (48...57).contains(byte) || (97...102).contains(byte) }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }
}
