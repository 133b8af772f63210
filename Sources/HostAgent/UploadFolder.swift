import Foundation
import MagsModel
import NodeWire

/// Where the control plane keeps uploads: a folder in which another user may put what it likes, so no step of the way to
/// a file may be a link, and the file must be that user's own.
struct UploadFolder: Sendable {
    /// MAGS_HOME, which is ours.
    let home: String
    /// The folders below it, the first of which was given to the control plane.
    let steps: [String]

    /// - Parameter path: inside `home`.
    init(home: String, path: String) {
        self.home = home
        let below = path.hasPrefix(home + "/") ? path.dropFirst(home.count) : ""
        steps = below.split(separator: "/").map(String.init)
    }

    /// A plain file by the last part of its name.
    /// - Throws: `Problem` for anything else.
    func open(_ upload: JobAssignment.Upload) throws(Problem) -> FileHandle {
        guard let file = find((upload.source as NSString).lastPathComponent) else {
            throw Problem(410, "upload_gone", "The uploaded file '\(upload.name)' is no longer there. Upload it again.")
        }
        return file
    }

    private func find(_ name: String) -> FileHandle? {
        let toFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        guard var folder = handle(Glibc.open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) else { return nil }
        var owner: uid_t?
        for step in steps {
            guard let next = handle(openat(folder.fileDescriptor, step, toFolder)) else { return nil }
            folder = next
            // The first was given to its owner by us; further down they may be anybody's.
            owner = owner ?? status(of: folder)?.st_uid
        }
        let toFile = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK
        guard let file = handle(openat(folder.fileDescriptor, name, toFile)), let status = status(of: file),
            status.st_mode & S_IFMT == S_IFREG, status.st_uid == owner
        else { return nil }
        return file
    }

    private func handle(_ descriptor: Int32) -> FileHandle? {
        descriptor < 0 ? nil : FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    private func status(of file: FileHandle) -> stat? {
        var status = stat()
        return fstat(file.fileDescriptor, &status) == 0 ? status : nil
    }
}
