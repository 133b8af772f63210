import Foundation
import Logging

/// Lines on standard error: time, role, level, message, metadata.
enum LogSetup {
    static func start(role: String) -> Logger {
        let level = ProcessInfo.processInfo.environment["MAGS_LOG"].flatMap { Logger.Level(rawValue: $0) } ?? .info
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        return Logger(label: role)
    }
}
