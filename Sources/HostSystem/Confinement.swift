internal import CHost
internal import Glibc

/// What a role that only answers requests gives up before it reads the first of them.
package enum Confinement {
    /// This process can run no program, trace no other, and mount nothing any more, nor can its threads.
    package static func begin() throws(HostError) {
        guard chost_confine() == 0 else { throw HostError(errno: errno, "the system calls could not be limited") }
    }
}
