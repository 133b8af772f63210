import CGuest
import GuestWire

/// What makes one machine differ from every other clone of its template.
enum Identity {
    static let defaultHostName = "mags-vm"
    private static let bootFile = Root.runtime + "/boot_id"
    private static let machineFiles = ["/etc/machine-id", "/var/lib/dbus/machine-id"]

    /// In the template: the default name, and a file in the place of the kernel's boot id, which is made at its first
    /// reading and would then be the same in every clone.
    static func prepare() throws(Failure) {
        try name(defaultHostName)
        // Here with as many bytes as later, so that a claim writes over them in place.
        try replace(machineID: String(repeating: "0", count: 32))
        try Descriptors.writeFile(bootFile, "00000000-0000-4000-8000-000000000000\n", mode: 0o444)
        try Descriptors.check(
            mount(bootFile, "/proc/sys/kernel/random/boot_id", nil, guest_bind, nil), "hide the kernel's boot id")
    }

    /// - Parameter moveToDisk: for a claim with a disk: changes the root, after randomness and clock are right.
    static func take(_ claim: Claim, moveToDisk: () throws(Failure) -> Void) throws(Failure) {
        try reseed(claim.seed)
        try Descriptors.checkError(guest_set_clock(claim.time), "set the clock")
        guard isHostName(claim.hostName) else { throw Failure(step: "set the host name", errno: EINVAL) }
        guard claim.machineID.utf8.allSatisfy(isHexadecimal) else {
            throw Failure(step: "set the machine id", errno: EINVAL)
        }
        if claim.diskBytes > 0 {
            try moveToDisk()
            try settle(hostName: claim.hostName, machineID: claim.machineID)
        } else {
            if guest_has_host_name(claim.hostName) == 0 { try name(claim.hostName) }
            try write(machineID: claim.machineID)
        }
        try writeBootID()
    }

    /// In a root that is not the template's.
    static func settle(hostName: String, machineID: String) throws(Failure) {
        try name(hostName)
        try replace(machineID: machineID)
        try Network.nameTheResolver()
    }

    static func reseed(_ seed: [UInt8]) throws(Failure) {
        let errno = seed.withUnsafeBufferPointer { guest_reseed($0.baseAddress, Int32($0.count)) }
        try Descriptors.checkError(errno, "reseed the kernel's randomness")
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

    private static func write(machineID: String) throws(Failure) {
        for path in machineFiles where access(path, F_OK) == 0 {
            try Descriptors.writeFile(path, Array(machineID.utf8) + [UInt8(ascii: "\n")], mode: 0o444, flags: 0)
        }
    }

    private static func writeBootID() throws(Failure) {
        let uuid = Descriptors.readStart("/proc/sys/kernel/random/uuid")
        guard uuid.count == 37 else { throw Failure(step: "make a boot id", errno: EIO) }
        try Descriptors.writeFile(bootFile, uuid, mode: 0o444, flags: 0)
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
