/// One command for QEMU's monitor. The named ones below are those with arguments that are easy to get wrong.
package struct QMPCommand: Equatable, Sendable {
    package var name: String
    package var arguments: [String: QMPValue]

    package init(_ name: String, _ arguments: [String: QMPValue] = [:]) {
        self.name = name
        self.arguments = arguments
    }

    package static let continueRunning = QMPCommand("cont")
    package static let stop = QMPCommand("stop")
    package static let quit = QMPCommand("quit")
    package static let queryStatus = QMPCommand("query-status")
    package static let queryBlockStats = QMPCommand("query-blockstats")

    package static func migrationCapabilities(_ names: String...) -> QMPCommand {
        let capabilities = names.map { QMPValue.object(["capability": .text($0), "state": true]) }
        return QMPCommand("migrate-set-capabilities", ["capabilities": .list(capabilities)])
    }

    /// Loads a state from a descriptor that QEMU inherited under this number.
    package static func migrateIncoming(descriptor: Int) -> QMPCommand {
        QMPCommand("migrate-incoming", ["uri": .text("fd:\(descriptor)")])
    }

    /// Saves the state into the descriptor that `receiveDescriptor` gave this name.
    package static func migrate(toDescriptorNamed name: String) -> QMPCommand {
        QMPCommand("migrate", ["uri": .text("fd:\(name)")])
    }

    /// Names a descriptor that comes with the command itself (see `QMPClient.run(_:passing:)`).
    package static func receiveDescriptor(named name: String) -> QMPCommand {
        QMPCommand("getfd", ["fdname": .text(name)])
    }
}
