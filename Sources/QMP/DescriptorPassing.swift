import Glibc

/// Sends bytes with a descriptor over a Unix socket. All bytes go in one message, or it throws: a monitor's socket is
/// empty when we write to it, so the few bytes of a command always fit.
func sendDescriptor(_ descriptor: CInt, with bytes: [UInt8], over socket: CInt) throws(QMPError) {
    // `struct cmsghdr` (length, level, type) and one descriptor behind it: its macros do not reach Swift.
    let headerSize = MemoryLayout<cmsghdr>.size
    let space = headerSize + 8
    let sent = withUnsafeTemporaryAllocation(byteCount: space, alignment: MemoryLayout<cmsghdr>.alignment) { control in
        control.initializeMemory(as: UInt8.self, repeating: 0)
        control.storeBytes(of: headerSize + MemoryLayout<CInt>.size, as: Int.self)
        control.storeBytes(of: SOL_SOCKET, toByteOffset: 8, as: CInt.self)
        control.storeBytes(of: CInt(SCM_RIGHTS), toByteOffset: 12, as: CInt.self)
        control.storeBytes(of: descriptor, toByteOffset: headerSize, as: CInt.self)
        return bytes.withUnsafeBytes { body in
            var part = iovec(iov_base: UnsafeMutableRawPointer(mutating: body.baseAddress), iov_len: body.count)
            return withUnsafeMutablePointer(to: &part) { parts in
                var message = msghdr()
                message.msg_iov = parts
                message.msg_iovlen = 1
                message.msg_control = control.baseAddress
                message.msg_controllen = space
                return sendmsg(socket, &message, CInt(MSG_NOSIGNAL))
            }
        }
    }
    guard sent == bytes.count else {
        throw QMPError(.closed, "A descriptor could not be handed to QEMU (errno \(errno)).")
    }
}
