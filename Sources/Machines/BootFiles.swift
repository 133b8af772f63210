/// The kernel and the first program of every machine, from the cache.
struct BootFiles: Sendable {
    /// Changes with the kernel, its modules and the guest.
    var key: String
    var folder: String

    var kernel: String { folder + "/vmlinux" }
    var initramfs: String { folder + "/initramfs.cpio" }

    static func current(in cache: String) throws(MachineError) -> BootFiles {
        let link = cache + "/boot/current"
        guard let folder = MachineFiles.resolved(link), let key = folder.split(separator: "/").last else {
            throw MachineError(
                "boot_missing", "There is no kernel for machines at \(link).", hint: "Run script/up to make one.")
        }
        let files = BootFiles(key: String(key), folder: folder)
        for path in [files.kernel, files.initramfs] where !MachineFiles.exists(path) {
            throw MachineError("boot_missing", "\(path) is missing.", hint: "Run script/up to make it.")
        }
        return files
    }
}

/// An image: the read-only root that machines start from.
struct ImageFiles: Sendable {
    var name: String
    var digest: String
    var folder: String

    var root: String { folder + "/root.erofs" }

    static func current(_ name: String, in cache: String) throws(MachineError) -> ImageFiles {
        let isName = name.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 || $0 == 95 }
        guard isName, !name.isEmpty else {
            throw MachineError("image_unknown", "There is no image '\(name)'.", hint: "Use 'standard'.")
        }
        let link = "\(cache)/images/\(name)/current"
        guard let folder = MachineFiles.resolved(link), let digest = folder.split(separator: "/").last else {
            throw MachineError(
                "image_unknown", "There is no image '\(name)'.",
                hint: name == "standard" ? "Run script/up to make it." : "Use 'standard'.")
        }
        let files = ImageFiles(name: name, digest: String(digest), folder: folder)
        guard MachineFiles.exists(files.root) else {
            throw MachineError("image_unknown", "\(files.root) is missing.", hint: "Run script/up to make it.")
        }
        return files
    }
}
