import CHost
import Glibc

@testable import HostSystem

/// Stands for a guest: another kernel's network behind the machine's tap. Frames go between the two taps as QEMU would
/// pass them.
final class LabGuest: Sendable {
    let machine: MachineNetwork
    let inside: FileDescriptor
    private let tap: FileDescriptor
    private let stop: FileDescriptor

    init(_ machine: MachineNetwork) async throws {
        self.machine = machine
        (inside, tap) = try await NetworkNamespace.make { () throws(HostError) -> FileDescriptor in
            let opened = chost_open_tap("eth0")
            guard opened >= 0 else { throw HostError(errno: errno, "no tap") }
            return FileDescriptor(owning: opened)
        }
        try await HostTool.run(
            "ip", ["-batch", "-"],
            input: """
                link set lo up
                link set eth0 up
                address add 172.16.0.2/30 dev eth0
                route add default via 172.16.0.1

                """, in: inside)
        let (read, write) = try FileDescriptor.pipe()
        stop = write
        let ends = (machine.tap, tap)
        Task { try await SystemThread.perform { Self.pump(ends.0, ends.1, until: read) } }
    }

    private static func pump(_ first: FileDescriptor, _ second: FileDescriptor, until end: FileDescriptor) {
        var frame = [UInt8](repeating: 0, count: 65_600)
        var watched = [first, second, end].map { pollfd(fd: $0.rawValue, events: Int16(POLLIN), revents: 0) }
        while poll(&watched, 3, -1) >= 0, watched[2].revents == 0 {
            for (from, to) in [(first, second), (second, first)] {
                let count = read(from.rawValue, &frame, frame.count)
                if count > 0 { _ = write(to.rawValue, frame, count) }
            }
        }
    }
}
