import Foundation
import HostSystem

/// `run/NAME.pid`: the process of a role, for people and scripts.
enum PIDFile {
    static func write(_ path: String, pid: Int32) { try? Data("\(pid)\n".utf8).write(to: URL(fileURLWithPath: path)) }
    static func remove(_ path: String) { unlink(path) }
}

/// An exclusive lock on a file, held until released or the process ends.
struct HomeLock: Sendable {
    private let path: String
    private let descriptor: FileDescriptor

    /// Waits for it, in a thread of its own.
    static func waited(_ path: String) async throws -> HomeLock {
        try await SystemThread.perform { () throws(HostError) in try take(path, waiting: true) }
    }

    /// - Throws: when another process holds it and `waiting` is false. Blocks otherwise.
    static func take(_ path: String, waiting: Bool) throws(HostError) -> HomeLock {
        let descriptor = try FileDescriptor.open(path, O_RDWR | O_CREAT, mode: 0o600)
        guard flock(descriptor.rawValue, waiting ? LOCK_EX : LOCK_EX | LOCK_NB) == 0 else {
            throw HostError(
                "home_in_use", "Another server uses this folder (\(path) is locked).",
                hint: "Stop it with script/down, or choose another MAGS_HOME.")
        }
        // The one that held it may have removed the file meanwhile: a lock on what has no name keeps nobody out.
        var held = stat()
        var named = stat()
        guard fstat(descriptor.rawValue, &held) == 0, stat(path, &named) == 0, held.st_ino == named.st_ino else {
            return try take(path, waiting: waiting)
        }
        return HomeLock(path: path, descriptor: descriptor)
    }

    /// Leaves no file behind.
    func release() {
        unlink(path)
        flock(descriptor.rawValue, LOCK_UN)
    }
}

/// The edge's port: chosen free once, then kept in the home, since addresses that people have name it.
enum EdgePort {
    static func kept(in home: Home) throws -> Int {
        let file = home.home + "/edge.port"
        if let text = try? String(contentsOfFile: file, encoding: .utf8),
            let port = Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
        {
            return port
        }
        let port = try free()
        try Data("\(port)\n".utf8).write(to: URL(fileURLWithPath: file))
        return port
    }

    private static func free() throws -> Int {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(listener, generic, length) == 0 && getsockname(listener, generic, &length) == 0
            }
        }
        guard listener >= 0, result else {
            throw HostError("no_port", "No free port could be found for the edge.", hint: nil)
        }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
