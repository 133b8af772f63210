import FoundationEssentials
import Glibc

/// The small file operations that the engine needs; each throws with the path and the reason. They block.
enum MachineFiles {
    static func makeFolder(_ path: String, mode: UInt32 = 0o700) throws(MachineError) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: Int(mode)])
        } catch {
            throw MachineError("storage_failed", "The folder \(path) could not be made: \(error).")
        }
    }

    static func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }

    static func names(in folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The folder that a link such as `current` leads to.
    static func resolved(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }

    /// Written beside it and moved, so that a reader sees the old content or the new.
    static func write(_ value: some Encodable, to path: String) throws(MachineError) {
        let partial = path + ".part"
        do {
            try JSONEncoder().encode(value).write(to: URL(filePath: partial))
        } catch {
            throw MachineError("storage_failed", "\(path) could not be written: \(error).")
        }
        guard rename(partial, path) == 0 else { throw errno("\(path) could not be written") }
    }

    static func read<T: Decodable>(_: T.Type, from path: String) -> T? {
        guard let data = try? Data(contentsOf: URL(filePath: path)) else { return nil }
        return try? JSONDecoder().decode(T.self, from: data)
    }

    static func errno(_ what: String) -> MachineError {
        let number = Glibc.errno
        return MachineError("storage_failed", "\(what): \(String(cString: strerror(number))).")
    }
}
