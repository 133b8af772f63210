/// Who may know whom. Arrows point down only, never sideways.
enum Rooms {
    static let floors: [[String]] = [
        ["CHost"],
        ["MagsModel"],
        ["Store", "QMP", "GuestWire", "HostSystem", "NodeWire", "MagsAPI"],
        ["ControlPlane", "Machines", "MagsClient", "Resolver", "StoreSQLite", "APIDouble"],
        ["HTTPServer", "Edge", "HostAgent", "MagsCommands"],
        ["mags", "magsd"],
    ]

    /// Rooms that only these others may know, whatever their floors.
    static let knownOnlyBy: [String: Set<String>] = [
        "StoreSQLite": ["magsd"],
        "GRDB": ["StoreSQLite"],
        "Hummingbird": ["HTTPServer"],
        "HummingbirdCore": ["HTTPServer"],
        "AsyncHTTPClient": ["ControlPlane", "MagsClient"],
        "ArgumentParser": ["MagsCommands", "mags", "magsd"],
    ]

    /// Rooms that must never know these.
    static let strangers: [String: Set<String>] = [
        "MagsClient": ["ControlPlane", "Store", "StoreSQLite", "Machines", "HostAgent"],
        "MagsCommands": ["ControlPlane", "Store", "StoreSQLite", "Machines", "HostAgent"],
        "QMP": ["MagsModel"],
        "GuestWire": ["MagsModel"],
    ]

    /// Foundation costs the command 44 MB and milliseconds at each start, and Embedded Swift has none.
    static let withoutFoundation: Set<String> = [
        "MagsModel", "GuestWire", "guest", "MagsCommands", "MagsClient", "mags",
    ]

    /// Modules that need no package.
    static let ofTheCompiler: Set<String> = [
        "Darwin", "Dispatch", "Foundation", "FoundationEssentials", "FoundationNetworking", "Glibc", "Musl",
        "Synchronization", "Testing",
    ]

    static func floor(of room: String) -> Int? { floors.firstIndex { $0.contains(room) } }

    /// What is wrong with one room knowing another; nil when nothing is.
    static func objection(to room: String, knowing other: String) -> String? {
        if let allowed = knownOnlyBy[other], !allowed.contains(room) {
            return "\(room) knows \(other), which is for \(allowed.sorted().joined(separator: ", ")) only"
        }
        if strangers[room]?.contains(other) == true { return "\(room) must never know \(other)" }
        if other == "Foundation", withoutFoundation.contains(room) { return "\(room) imports Foundation" }
        guard let mine = floor(of: room), let theirs = floor(of: other) else { return nil }
        return theirs < mine ? nil : "\(room) knows \(other), which is not below it"
    }
}
