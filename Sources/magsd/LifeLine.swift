import Foundation

/// Descriptor 3 of every role is a pipe whose other end the supervisor holds: at its end the supervisor is gone, and a
/// role must not outlive it, or two of the same kind could meet.
enum LifeLine {
    static let descriptor: Int32 = 3

    /// Ends this process, without any orderly stop, when the supervisor ends: machines go on and are taken over.
    static func hold() {
        // A plain thread: the read blocks for the life of the process.
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while true {
                let count = read(descriptor, &byte, 1)
                if count < 0 && errno == EINTR { continue }
                _exit(70)
            }
        }
    }
}
