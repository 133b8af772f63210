import CHost
import Testing

@Suite("A confined process")
struct ConfinementTests {
    @Test("cannot run a program")
    func runsNoProgram() { #expect(chost_confined_exec("/bin/true") == 0) }

    @Test("makes processes, but no namespaces with them")
    func makesNoNamespaces() {
        #expect(chost_confined_clone(0) == 0)
        // CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET of <linux/sched.h>.
        for flag: UInt in [0x20000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000] {
            #expect(chost_confined_clone(flag) == 5)
        }
    }
}
