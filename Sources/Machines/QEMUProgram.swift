import Glibc

/// Where QEMU and the maker of file systems are on this host.
enum QEMUProgram {
    /// - Returns: the path, and what tells this very file from an older or newer one.
    static func find() throws(MachineError) -> (path: String, version: String) {
        guard let path = path(of: QEMUCommand.program), let real = MachineFiles.resolved(path) else {
            throw MachineError(
                "qemu_missing", "\(QEMUCommand.program) is not installed.",
                hint: "Install QEMU 7.2 or newer for x86-64.")
        }
        var status = stat()
        guard stat(real, &status) == 0 else { throw MachineFiles.errno("\(real) cannot be read") }
        return (real, "\(status.st_size)-\(status.st_mtim.tv_sec)")
    }

    static func path(of name: String) -> String? {
        let listed = getenv("PATH").map { String(cString: $0) } ?? ""
        let folders = listed.split(separator: ":").map(String.init) + ["/usr/bin", "/bin", "/usr/sbin", "/sbin"]
        return folders.map { $0 + "/" + name }.first { access($0, X_OK) == 0 }
    }
}
