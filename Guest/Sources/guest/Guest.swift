import CGuest
import GuestWire

/// PID 1 of a machine.
@main
enum Guest {
    static func main() {
        Boot.mountKernelFileSystems()
        guest_watch_faults()
        Boot.loadModules()
        do throws(Failure) {
            try serve(port: Boot.openPort())
        } catch {
            guest_say("\(error.step): errno \(error.errno)")
            guest_power_off()
        }
    }

    private static func serve(port: Int32) throws(Failure) {
        let loop = EventLoop()
        let link = HostLink(descriptor: port)
        let children = Children(loop: loop)
        let machine = Machine(link: link, execs: try Execs(loop: loop, link: link, children: children))
        link.onFrame = { machine.handle($0) }
        link.onRoom = { machine.execs.resumeOutput() }
        link.send(Hello().frame())
        loop.watch(port, guest_readable | guest_writable | guest_on_edge) { _ in link.handle() }
        // Until a script's first output is out, what this program has to do comes first. Afterwards it takes turns: woken
        // at each line that a script prints, it would send each by itself.
        guest_run_first(1)
        var isFirst = true
        while true {
            link.flush()
            if isFirst, machine.execs.hasOutput {
                isFirst = false
                guest_run_first(0)
            }
            loop.turn(waiting: machine.execs.millisecondsToDeadline)
            machine.execs.meetDeadlines()
        }
    }
}
