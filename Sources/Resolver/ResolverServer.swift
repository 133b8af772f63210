internal import Foundation
internal import Glibc

/// The machines' name server: a process of its own without rights, since it reads what guests send. It gets its sockets
/// bound, and answers by the host's own resolver.
package enum ResolverServer {
    /// Serves until every writer of the pipe `life` has gone, then ends the process. The descriptors are taken over.
    package static func run(udp: Int32, tcp: Int32, life: Int32) -> Never {
        // The C library's own patience would outlast the guest's, and its search list belongs to the host.
        setenv("RES_OPTIONS", "timeout:2 attempts:1", 1)
        setenv("LOCALDOMAIN", ".", 1)
        signal(SIGPIPE, SIG_IGN)
        start(udp: udp, tcp: tcp, upstream: .ofHost)
        let owner = Socket(owning: life)
        while owner.wait(for: POLLIN, Deadline(milliseconds: 60_000)) == false {}
        exit(0)
    }

    /// In threads of their own; each ends when its socket is shut down.
    static func start(udp: Int32, tcp: Int32, upstream: Upstream) {
        let answerer = Answerer(upstream: upstream)
        let datagrams = DatagramServer(socket: Socket(owning: udp), answerer: answerer)
        let streams = StreamServer(socket: Socket(owning: tcp), answerer: answerer)
        Thread.detachNewThread { datagrams.run() }
        Thread.detachNewThread { streams.run() }
    }
}
