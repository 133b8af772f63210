/// A machine's own network namespace. It lives as long as somebody holds the tap (QEMU) or the namespace; when both are
/// closed, the namespace, tap and cable vanish by themselves.
package struct MachineNetwork: Sendable {
    /// For QEMU: `-netdev tap,fd=N`, with vnet headers. Close ours once QEMU has its copy.
    package let tap: FileDescriptor
    /// For sockets that reach into the machine at 172.16.0.2.
    package let namespace: FileDescriptor
}
