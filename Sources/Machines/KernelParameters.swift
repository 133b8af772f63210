import HostSystem

/// The kernel's command line in a template. Each word makes a boot measurably shorter unless it says otherwise.
enum KernelParameters {
    static func text(accelerator: Accelerator, tscKilohertz: Int) -> String {
        // init_on_free leaves zeros in pages that are free again, so that they need not be kept.
        var words = [
            "quiet", "panic=-1", "mitigations=off", "random.trust_cpu=on", "cryptomgr.notests",
            "rcupdate.rcu_expedited=1", "lsm=", "init_on_free=1", "no_timer_check",
        ]
        if accelerator == .tcg {
            // An emulated timer gives wrong values on a busy host, and the boot would hang. Without address randomisation
            // QEMU can use its translations again for the next process: an exec takes a third of the time.
            words += ["tsc_early_khz=\(tscKilohertz)", "tsc=reliable", "norandmaps"]
        }
        return words.joined(separator: " ")
    }
}
