import CGuest

/// The root that programs see: the image below, a layer that takes every change above it. The layer is the clone's
/// throw-away one, until a claim brings a disk of the machine's own.
final class Root {
    static let runtime = "/run/mags"
    private static let place = "/newroot"
    private static let kernelFolders = ["dev", "proc", "sys", "run", "tmp"]

    /// The kernel's own root, which lies hidden under the machine's and holds its parts.
    private let hidden: Int32

    private init(hidden: Int32) { self.hidden = hidden }

    deinit { close(hidden) }

    /// In the template, once.
    static func assemble() throws(Failure) -> Root {
        let hidden = try Descriptors.open("/", O_RDONLY | O_DIRECTORY)
        for path in ["/ro", "/ov", "/disk", place] { mkdir(path, 0o755) }
        try attach("/dev/vda", "/ro", "erofs", guest_read_only, "", "mount the image")
        try attach("/dev/vdb", "/ov", "ext4", guest_no_access_times, "discard", "mount the layer for changes")
        // Nothing here outlives the machine, so no write has to reach the disk.
        try layOver("/ov", ",volatile")
        try attach("tmpfs", "\(place)/run", "tmpfs", guest_no_set_id | guest_no_devices, "mode=755", "mount /run")
        try attach("tmpfs", "\(place)/tmp", "tmpfs", guest_no_set_id | guest_no_devices, "mode=1777", "mount /tmp")
        for path in ["/dev", "/proc", "/sys"] { try attach(path, place + path, nil, guest_move, "", "move \(path)") }
        // Over the kernel's own root, not only into a folder of it: user namespaces refuse to be made in a mere chroot.
        try Descriptors.check(chdir(place), "enter the root")
        try attach(".", "/", nil, guest_move, "", "move the root")
        try Descriptors.check(chroot("."), "change to the root")
        try Descriptors.check(chdir("/"), "enter the root")
        for path in ["/run/lock", "/run/shm", runtime] { mkdir(path, 0o755) }
        chmod(runtime, 0o700)
        chmod("/root", 0o700)
        return Root(hidden: hidden)
    }

    /// Makes the file system on the disk the layer for changes, for this process and for all that wait. What has started
    /// keeps its working directory, which then is one of the old root's. After an error there is no root to go on with.
    func moveToDisk() throws(Failure) {
        try enterHidden()
        try move()
    }

    /// The same in a child with mounts of its own, which are gone with it.
    func rehearseMove(_ afterwards: () throws(Failure) -> Void) throws(Failure) {
        let pid = guest_fork()
        if pid == 0 {
            do throws(Failure) {
                try enterHidden()
                try Descriptors.check(guest_unshare_mounts(), "have mounts of its own")
                try move()
                try afterwards()
                _exit(0)
            } catch {
                guest_say("\(error.step): errno \(error.errno)")
                _exit(1)
            }
        }
        var status: Int32 = 0
        guard pid > 0, waitpid(pid, &status, 0) == pid, status == 0 else {
            throw Failure(step: "rehearse the move to a disk", errno: EIO)
        }
        try Disk.waitUntilUnused()
    }

    /// Replaces a file that an image may have as a link into something that does not run here.
    static func replace(_ path: String, _ text: String, mode: mode_t = 0o644) throws(Failure) {
        unlink(path)
        try Descriptors.writeFile(path, text, mode: mode)
    }

    /// Absolute paths then lead through the kernel's own root, relative ones through the machine's.
    private func enterHidden() throws(Failure) {
        try Descriptors.check(chdir("/"), "enter the root")
        try Descriptors.check(chroot("/proc/self/fd/\(hidden)"), "change to the kernel's root")
    }

    private func move() throws(Failure) {
        try Root.attach(
            String(Disk.path.dropFirst()), "/disk", "ext4", guest_no_access_times | guest_no_devices,
            "discard,noinit_itable", "mount the disk")
        try Root.layOver("/disk")
        for name in Root.kernelFolders {
            try Root.attach(name, "\(Root.place)/\(name)", nil, guest_move, "", "move /\(name)")
        }
        // A new root has to be mounted inside the old one, at any folder: this one lies bare now.
        try Root.attach(Root.place, "tmp", nil, guest_move, "", "move the root")
        try Descriptors.check(chroot("."), "change to the old root")
        try Descriptors.check(chdir("/tmp"), "enter the root")
        try Descriptors.check(guest_pivot_root(), "change the root")
        try Descriptors.check(umount2(".", guest_detach), "let go of the old root")
        try Descriptors.check(chdir("/"), "enter the root")
        chmod("/root", 0o700)
    }

    /// Renames of the image's folders work and one device number covers all.
    private static func layOver(_ layer: String, _ more: String = "") throws(Failure) {
        mkdir("\(layer)/up", 0o755)
        mkdir("\(layer)/work", 0o755)
        let options = "lowerdir=/ro,upperdir=\(layer)/up,workdir=\(layer)/work,redirect_dir=on,xino=on" + more
        try attach("overlay", place, "overlay", guest_no_access_times, options, "assemble the root")
        for name in kernelFolders + ["root"] { mkdir("\(place)/\(name)", 0o755) }
    }

    private static func attach(
        _ source: String, _ target: String, _ kind: String?, _ flags: UInt, _ options: String, _ step: String
    ) throws(Failure) {
        let result =
            if let kind { mount(source, target, kind, flags, options) } else { mount(source, target, nil, flags, nil) }
        try Descriptors.check(result, step)
    }
}
