import CGuest
import GuestWire

/// Everything that an exec does, done before the machine has a user, so that nothing of it is new when it counts: what is
/// read is in memory, what is run has been translated. The frames go the same way as a host's, to nowhere.
final class Rehearsal {
    /// The number of a stream that no host uses.
    static let stream: UInt16 = .max

    let link: HostLink
    private var rest: [Exec]
    private let then: () -> Void

    init(_ execs: [Exec], _ handle: @escaping (Frame) -> Void, then: @escaping () -> Void) {
        link = HostLink(descriptor: guest_open("/dev/null", O_WRONLY, 0))
        rest = execs
        self.then = then
        link.onFrame = handle
    }

    var isOver: Bool { rest.isEmpty }

    /// Goes on with the next, or ends.
    func next() {
        link.forgetSent()
        if rest.isEmpty {
            link.onFrame = { _ in }
            then()
        } else {
            link.feed(rest.removeFirst().frame(stream: Rehearsal.stream))
        }
    }

    /// In the template: brings into memory what scripts need first.
    static let reading: [Exec] = [
        fresh(
            """
            ls -l / /usr/bin; cat /etc/passwd; mkdir -p /tmp/a/b; rm -r /tmp/a; sleep 0; date; uname -a; grep x /etc/passwd
            sed p /etc/passwd; awk 1 /etc/passwd; head /etc/passwd; tail /etc/passwd; env; id; sort /etc/passwd
            sh -c 'echo x'; git --version; curl --version; jq -n 1; node --version; tar --version; wget --version
            """),
        fresh(
            """
            #!/usr/bin/env python3
            import json, os, re, subprocess, sys, time, urllib.request, pathlib, random, datetime, collections, hashlib
            print(json.dumps({}))
            """),
    ]

    /// In each clone: every way that an exec can go.
    static let running: [Exec] = [
        script("export A='b c'; echo hi; git --version; cd /tmp; ls -l; /bin/echo x; sleep 0\n"),
        script("#!/usr/bin/env python3\nimport sys\nprint('hi', sys.argv)\n"),
        fresh("echo hi; cat /etc/passwd | grep root; (exit 3)\n"),
        Exec(program: .arguments(["sh", "-c", "echo hi >&2"])),
    ]

    private static func script(_ text: String) -> Exec { Exec(program: .script(Array(text.utf8))) }

    private static func fresh(_ text: String) -> Exec {
        Exec(program: .script(Array(text.utf8)), mayUseWaiting: false)
    }
}
