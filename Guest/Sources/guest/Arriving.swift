import CGuest
import GuestWire

/// Execs whose frames are not all here yet: pieces of a long script, pieces of a large environment.
struct Arriving {
    /// An exec that has everything, with its script in a file.
    struct Ready {
        var exec: Exec
        let script: ScriptFile?
    }

    private static let environmentLimit = 512 * 1024
    private static let limit = 64

    /// Scripts are numbered in their order; the first is the one that interpreters wait for.
    private var number = 0
    private var environments: [UInt16: [UInt8]] = [:]
    private var scripts: [UInt16: Ready] = [:]

    mutating func add(environment piece: [UInt8], _ stream: UInt16) throws(Failure) {
        let total = environments.values.reduce(piece.count) { $0 + $1.count }
        guard total <= Arriving.environmentLimit else {
            throw Failure(step: "the environment is too large", errno: E2BIG)
        }
        environments[stream, default: []] += piece
    }

    /// Returns the exec when nothing of it is missing.
    mutating func begin(_ exec: Exec, stream: UInt16) throws(Failure) -> Ready? {
        var exec = exec
        if let pieces = environments.removeValue(forKey: stream) { exec.environment += try Arriving.pairs(pieces) }
        guard Environment.areValid(exec.environment), exec.workingDirectory.utf8.first == UInt8(ascii: "/"),
            !exec.workingDirectory.utf8.contains(0)
        else { throw Failure(step: "a name in the environment or the working directory cannot be", errno: EINVAL) }
        guard case .script(let start) = exec.program else { return Ready(exec: exec, script: nil) }
        guard scripts.count < Arriving.limit else { throw Failure(step: "too many scripts at once", errno: EAGAIN) }
        number += 1
        let ready = Ready(exec: exec, script: try ScriptFile(number: number))
        scripts[stream] = ready
        try ready.script?.append(start)
        guard exec.scriptContinues else { return end(stream) }
        return nil
    }

    mutating func add(script piece: [UInt8], _ stream: UInt16) throws(Failure) {
        try scripts[stream]?.script?.append(piece)
    }

    mutating func end(_ stream: UInt16) -> Ready? {
        let ready = scripts.removeValue(forKey: stream)
        ready?.script?.finish()
        return ready
    }

    /// What was rehearsed did not count.
    mutating func numberAnew() { number = 0 }

    mutating func drop(_ stream: UInt16) {
        environments[stream] = nil
        scripts.removeValue(forKey: stream)?.script?.remove()
    }

    private static func pairs(_ bytes: [UInt8]) throws(Failure) -> [(String, String)] {
        do throws(WireError) {
            var fields = FieldReader(bytes)
            let pairs = try fields.pairs()
            try fields.end()
            return pairs
        } catch {
            throw Failure(step: "the environment's pieces are no list", errno: EINVAL)
        }
    }
}
