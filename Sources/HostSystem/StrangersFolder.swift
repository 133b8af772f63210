internal import Glibc

/// A folder in which somebody else may have made whatever he likes: everything is done by descriptors, so that neither a
/// link nor a moved folder leads anywhere else.
package struct StrangersFolder: Sendable {
    /// Deeper than anything of ours lies.
    private static let deepest = 8

    private let folder: FileDescriptor

    /// The folder at a path that only we can change up to its last name; made when it is not there.
    package static func make(_ path: String, mode: UInt32) throws(HostError) -> StrangersFolder {
        guard mkdir(path, mode) == 0 || errno == EEXIST else {
            throw HostError(errno: errno, "\(path) could not be made")
        }
        let opened = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        guard fchmod(opened.rawValue, mode) == 0 else { throw HostError(errno: errno, "\(path) could not be closed") }
        return StrangersFolder(folder: opened)
    }

    /// A folder in it. Anything else that has the name goes.
    package func makeFolder(_ name: String, mode: UInt32) throws(HostError) {
        var opened = open(name)
        if opened == nil {
            unlinkat(folder.rawValue, name, 0)
            guard mkdirat(folder.rawValue, name, mode) == 0 else {
                throw HostError(errno: errno, "The folder \(name) could not be made")
            }
            opened = open(name)
        }
        guard let opened, fchmod(opened.rawValue, mode) == 0 else {
            throw HostError(errno: errno, "The folder \(name) could not be opened")
        }
    }

    /// Makes all of it one user's.
    ///
    /// - Returns: how many things were left as they were: files with a second name, which may be somebody else's file in
    ///   another folder, and what lies deeper than anything of ours.
    package func give(to owner: UInt32) -> Int {
        fchown(folder.rawValue, owner, owner)
        return Self.give(folder, to: owner, depth: 1)
    }

    private static func give(_ folder: FileDescriptor, to owner: UInt32, depth: Int) -> Int {
        var strange = 0
        for name in names(in: folder) {
            // Without following or opening anything: a descriptor of whatever has the name now.
            let item = openat(folder.rawValue, name, pathOnly | O_NOFOLLOW | O_CLOEXEC)
            guard item >= 0 else { continue }
            let held = FileDescriptor(owning: item)
            var status = stat()
            guard fstat(item, &status) == 0 else { continue }
            let isFolder = status.st_mode & S_IFMT == S_IFDIR
            guard isFolder || status.st_nlink == 1 else {
                strange += 1
                continue
            }
            if status.st_uid != owner || status.st_gid != owner {
                fchownat(item, "", owner, owner, emptyPath | AT_SYMLINK_NOFOLLOW)
            }
            guard isFolder else { continue }
            guard depth < deepest, let inner = opened(".", in: held) else {
                strange += 1
                continue
            }
            strange += give(inner, to: owner, depth: depth + 1)
        }
        return strange
    }

    private func open(_ name: String) -> FileDescriptor? { Self.opened(name, in: folder) }

    private static func opened(_ name: String, in folder: FileDescriptor) -> FileDescriptor? {
        let opened = openat(folder.rawValue, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        return opened >= 0 ? FileDescriptor(owning: opened) : nil
    }

    private static func names(in folder: FileDescriptor) -> [String] {
        // The listing closes its descriptor, and moves its offset.
        guard let copy = opened(".", in: folder), let listing = fdopendir(copy.take()) else { return [] }
        defer { closedir(listing) }
        var names: [String] = []
        while let entry = readdir(listing) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    // Values of <linux/fcntl.h>, which do not reach Swift.
    private static let pathOnly: Int32 = 0x20_0000
    private static let emptyPath: Int32 = 0x1000
}
