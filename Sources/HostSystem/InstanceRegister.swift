internal import FoundationEssentials
internal import Glibc

/// Which server has which numbers on this host: one file for all servers of root's, one for those of each other user,
/// changed under a lock.
package enum InstanceRegister {
    /// The same for the same home, until it is released or its folder is gone. The folder must exist.
    package static func acquire(home: String) throws(HostError) -> Instance { try acquire(home: home, in: folder) }

    package static func release(home: String) { release(home: home, in: folder) }

    static func acquire(home: String, in folder: String) throws(HostError) -> Instance {
        guard let path = realPath(home) else { throw HostError(errno: errno, "\(home) is not there") }
        let routes = try Route.all()
        return try change(in: folder) { book throws(HostError) in
            book.entries.removeAll { access($0.home, F_OK) != 0 && errno == ENOENT }
            return try book.entry(of: path, isRoot: geteuid() == 0, routes: routes)
        }
    }

    static func release(home: String, in folder: String) {
        let path = realPath(home) ?? home
        try? change(in: folder) { book throws(HostError) in book.release(path) }
    }

    static func change<Value>(
        in folder: String = folder, _ body: (inout RegisterBook) throws(HostError) -> Value
    ) throws(HostError) -> Value {
        if mkdir(folder, geteuid() == 0 ? 0o755 : 0o700) != 0, errno != EEXIST {
            throw HostError(errno: errno, "\(folder) could not be made")
        }
        // In a folder that all may write, somebody else may have been there first.
        var status = stat()
        guard lstat(folder, &status) == 0, status.st_uid == geteuid(), status.st_mode & S_IFMT == S_IFDIR else {
            throw HostError(
                "register_foreign", "\(folder) is not a folder of ours.", hint: "Remove it and start again.")
        }
        let lock = try FileDescriptor.open("\(folder)/register.lock", O_RDWR | O_CREAT)
        while flock(lock.rawValue, LOCK_EX) != 0 {
            guard errno == EINTR else { throw HostError(errno: errno, "the register could not be locked") }
        }
        let path = "\(folder)/register.json"
        var book = try read(path)
        let before = book
        let value = try body(&book)
        if book != before { try write(book, to: path) }
        return value
    }

    private static func read(_ path: String) throws(HostError) -> RegisterBook {
        let boot = (try? SystemFile.text("/proc/sys/kernel/random/boot_id")) ?? ""
        guard access(path, F_OK) == 0 else { return RegisterBook(boot: boot) }
        let text = try SystemFile.text(path)
        do {
            var book = try JSONDecoder().decode(RegisterBook.self, from: Data(text.utf8))
            if book.boot != boot {
                book.boot = boot
                book.turnedForwardingOn = false
                book.forwarders = []
            }
            return book
        } catch {
            throw HostError(
                "register_damaged", "\(path) cannot be understood: \(error).",
                hint: "With no server running, delete it: it is made anew.")
        }
    }

    private static func write(_ book: RegisterBook, to path: String) throws(HostError) {
        let fresh = path + ".new"
        do {
            let file = try FileDescriptor.open(fresh, O_WRONLY | O_CREAT | O_TRUNC)
            let data = try JSONEncoder().encode(book)
            try SystemFile.write(String(decoding: data, as: UTF8.self), to: file, named: fresh)
        } catch {
            throw error as? HostError ?? HostError("register_unwritten", "\(fresh) could not be written: \(error).")
        }
        guard rename(fresh, path) == 0 else { throw HostError(errno: errno, "\(path) could not be replaced") }
    }

    private static var folder: String {
        if geteuid() == 0 { return "/run/mags" }
        return userFolder(runtime: getenv("XDG_RUNTIME_DIR").map { String(cString: $0) })
    }

    /// After `su` the variable may name another user's folder, and in a job of cron's one that is not there.
    static func userFolder(runtime: String?) -> String {
        var status = stat()
        guard let runtime, stat(runtime, &status) == 0, status.st_uid == geteuid(), access(runtime, W_OK) == 0 else {
            return "/tmp/mags-\(geteuid())"
        }
        return "\(runtime)/mags"
    }

    private static func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
