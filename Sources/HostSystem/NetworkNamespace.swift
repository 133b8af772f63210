internal import CHost
internal import Glibc

/// Work inside a network namespace, without changing the process's own.
package enum NetworkNamespace {
    /// A socket that is opened in `work` stays in the namespace for good. Nil is the process's own namespace.
    package static func perform<Value: Sendable>(
        in namespace: FileDescriptor?, _ work: @escaping @Sendable () throws(HostError) -> Value
    ) async throws(HostError) -> Value {
        try await SystemThread.perform { () throws(HostError) -> Value in
            if let namespace, chost_enter_network(namespace.rawValue) != 0 {
                throw HostError(errno: errno, "a network namespace could not be entered")
            }
            return try work()
        }
    }

    /// Makes one without a name: it lives while a descriptor of it, a process or a tap in it does. `work` runs inside.
    static func make<Value: Sendable>(
        _ work: @escaping @Sendable () throws(HostError) -> Value
    ) async throws(HostError) -> (FileDescriptor, Value) {
        try await SystemThread.perform { () throws(HostError) -> (FileDescriptor, Value) in
            let made = chost_new_network()
            guard made >= 0 else { throw HostError(errno: errno, "a network namespace could not be made") }
            let namespace = FileDescriptor(owning: made)
            return (namespace, try work())
        }
    }
}
