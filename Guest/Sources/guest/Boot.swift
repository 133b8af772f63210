import CGuest

/// What the kernel leaves to PID 1 before anything else can work.
enum Boot {
    static func mountKernelFileSystems() {
        for (kind, path) in [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")] {
            mkdir(path, 0o755)
            mount(kind, path, kind, guest_no_set_id, nil)
        }
        for (path, mode) in [("/dev/pts", mode_t(0o755)), ("/dev/shm", 0o1777)] { mkdir(path, mode) }
        mount("devpts", "/dev/pts", "devpts", guest_no_set_id | guest_no_programs, "gid=5,mode=620,ptmxmode=666")
        mount("tmpfs", "/dev/shm", "tmpfs", guest_no_set_id | guest_no_devices, "mode=1777")
        for (target, name) in [
            ("/proc/self/fd", "fd"), ("/proc/self/fd/0", "stdin"), ("/proc/self/fd/1", "stdout"),
            ("/proc/self/fd/2", "stderr"),
        ] { symlink(target, "/dev/" + name) }
        mount("cgroup2", "/sys/fs/cgroup", "cgroup2", guest_no_set_id | guest_no_devices, "favordynmods")
        guest_hold_standard_streams()
        umask(0o022)
        try? Descriptors.writeFile("/proc/self/oom_score_adj", "-1000")
        _ = guest_raise_file_limit()
    }

    /// The modules stand in the order in which they need each other.
    static func loadModules() {
        for line in Descriptors.readStart("/mods/list").split(separator: UInt8(ascii: "\n")) {
            let path = String(decoding: line, as: UTF8.self)
            let errno = guest_load_module(path)
            if errno != 0 { guest_say("\(path): errno \(errno)") }
        }
    }

    /// The kernel makes the port a moment after its driver is there.
    static func openPort() throws(Failure) -> Int32 {
        var path = [CChar](repeating: 0, count: 300)
        var errno: Int32 = 0
        for _ in 0..<10_000 {
            errno = guest_find_port("agent", &path, 300)
            if errno == 0 {
                let descriptor = guest_open(path, O_RDWR | O_NONBLOCK, 0)
                if descriptor >= 0 { return descriptor }
                errno = guest_errno()
            }
            guest_nap()
        }
        throw Failure(step: "open the port to the host", errno: errno)
    }
}
