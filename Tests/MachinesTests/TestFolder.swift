@testable import Machines

/// A folder that goes with the scope.
func withFolder(_ body: (String) async throws -> Void) async throws {
    let folder = "/tmp/mags-machines-\(String(UInt32.random(in: 0 ... .max), radix: 16))"
    try MachineFiles.makeFolder(folder)
    defer { MachineFiles.remove(folder) }
    try await body(folder)
}
