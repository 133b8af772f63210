package import FoundationEssentials

/// Something that QEMU says unasked.
package struct QMPEvent: Equatable, Sendable {
    package var name: String
    package var data: QMPValue

    package init(name: String, data: QMPValue = .object([:])) {
        self.name = name
        self.data = data
    }
}

/// A line from QEMU.
package enum QMPMessage: Equatable, Sendable {
    /// The first line of a connection, with QEMU's version.
    case greeting(version: String)
    case success(id: Int64?, QMPValue)
    case failure(id: Int64?, errorClass: String, description: String)
    case event(QMPEvent)

    package init(line: Data) throws(QMPError) {
        guard let value = try? JSONDecoder().decode(QMPValue.self, from: line), case .object = value else {
            throw QMPError(.protocolViolation, "QEMU's monitor sent a line that is no JSON object.")
        }
        if let greeting = value["QMP"] {
            let version = greeting["version"]?["qemu"]
            let parts = ["major", "minor", "micro"].compactMap { version?[$0]?.integer.map(String.init) }
            self = .greeting(version: parts.joined(separator: "."))
        } else if let result = value["return"] {
            self = .success(id: value["id"]?.integer, result)
        } else if let error = value["error"] {
            self = .failure(
                id: value["id"]?.integer, errorClass: error["class"]?.text ?? "GenericError",
                description: error["desc"]?.text ?? "")
        } else if let name = value["event"]?.text {
            self = .event(QMPEvent(name: name, data: value["data"] ?? .object([:])))
        } else {
            throw QMPError(.protocolViolation, "QEMU's monitor sent a line of no known form.")
        }
    }
}

extension QMPCommand {
    /// The command as one line, its line feed included.
    package func line(id: Int64) throws(QMPError) -> [UInt8] {
        var members: [String: QMPValue] = ["execute": .text(name), "id": .integer(id)]
        if !arguments.isEmpty { members["arguments"] = .object(arguments) }
        guard let data = try? JSONEncoder().encode(QMPValue.object(members)) else {
            throw QMPError(.protocolViolation, "The command \(name) has arguments that JSON cannot hold.")
        }
        return [UInt8](data) + [UInt8(ascii: "\n")]
    }
}
