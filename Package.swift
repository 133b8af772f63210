// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target is held to the same rules.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

func room(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: settings)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nio = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioFoundation = Target.Dependency.product(name: "NIOFoundationCompat", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")

let package = Package(
    name: "mags",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "mags", targets: ["mags"]),
        .executable(name: "magsd", targets: ["magsd"]),
        .library(name: "MagsClient", targets: ["MagsClient", "MagsAPI"]),
    ],
    dependencies: [
        // The command line's grammar, help and completions.
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        // Token hashes and the sealing of stored environments: no cryptography of our own.
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        // Requests and answers as Hummingbird and its connections hand them over.
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        // Levels and metadata on standard error.
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        // Sockets and event loops under the monitor, the guest wire and the edge.
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        // Requests and answers as they pass through the API's connections, where its own rules stand.
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        // SQLite with migrations, pooled readers and typed errors.
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        // The API's router, body limits and graceful shutdown.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        // The client's HTTP: TLS, pooling, streamed bodies.
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        // The order in which the API's parts end, so that streams do not hold a stopping server up.
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .target(name: "CHost"),
        room("MagsModel"),
        room("GuestWire"),
        room("MagsAPI", ["MagsModel"]),
        room("NodeWire", ["MagsModel", nio, nioPosix, nioFoundation]),
        room("QMP", [nio, nioPosix, nioFoundation]),
        room("Store", ["MagsModel"]),
        room("StoreSQLite", ["Store", "MagsModel", grdb]),
        room("MagsClient", ["MagsAPI", "MagsModel", asyncHTTPClient, nio, nioHTTP1, nioPosix]),
        room("HostSystem", ["CHost", "MagsModel", logging]),
        room("Resolver", ["CHost", logging]),
        room("Machines", ["GuestWire", "HostSystem", "MagsModel", "QMP", logging, nio, nioPosix]),
        room(
            "ControlPlane", ["MagsModel", "NodeWire", "Store", asyncHTTPClient, crypto, logging, nio, nioHTTP1]),
        room(
            "HostAgent",
            ["CHost", "GuestWire", "HostSystem", "Machines", "MagsModel", "NodeWire", logging, nio, nioPosix]),
        room(
            "HTTPServer",
            [
                "ControlPlane", "MagsAPI", "MagsModel", "NodeWire", "Store", httpTypes, hummingbird, hummingbirdCore,
                logging, nio, nioHTTP1, nioHTTPTypes, serviceLifecycle, unixSignals,
            ],
            resources: [.embedInCode("openapi.json")]),
        room("Edge", [logging, nio, nioHTTP1, nioPosix]),
        room("MagsCommands", ["MagsAPI", "MagsClient", "MagsModel", argumentParser]),
        program("mags", ["MagsCommands"]),
        program(
            "magsd",
            [
                "ControlPlane", "Edge", "HTTPServer", "HostAgent", "HostSystem", "Machines", "MagsModel", "NodeWire",
                "Resolver", "Store", "StoreSQLite", argumentParser, logging, nioPosix,
            ]),
        tests("MagsModelTests", ["MagsModel"]),
        tests("GuestWireTests", ["GuestWire"]),
        tests("NodeWireTests", ["MagsModel", "NodeWire", nio, nioPosix]),
        tests("QMPTests", ["QMP", nio, nioPosix]),
        tests("HostSystemTests", ["CHost", "HostSystem", "MagsModel", logging]),
        tests("ResolverTests", ["Resolver"]),
        tests("MachinesTests", ["Machines", "GuestWire", "HostSystem", "MagsModel", "QMP", logging, nio, nioPosix]),
        tests(
            "HostAgentTests",
            ["HostAgent", "GuestWire", "HostSystem", "Machines", "MagsModel", "NodeWire", logging, nio, nioPosix]),
        tests("EdgeTests", ["Edge", logging, nio, nioPosix]),
        tests("StoreTests", ["Store", "StoreSQLite", "MagsModel"]),
        tests("ControlPlaneTests", ["ControlPlane", "MagsModel", "NodeWire", "Store", logging, nio, nioPosix]),
        tests(
            "HTTPServerTests",
            [
                "HTTPServer", "ControlPlane", "MagsAPI", "MagsModel", "NodeWire", "Store", "StoreSQLite", logging, nio,
                nioPosix,
            ]),
        .target(
            name: "APIDouble", dependencies: [nio, nioHTTP1, nioPosix], path: "Tests/APIDouble",
            swiftSettings: settings),
        tests("MagsClientTests", ["APIDouble", "MagsClient", "MagsAPI", nio, nioEmbedded]),
        tests("MagsCommandsTests", ["APIDouble", "MagsClient", "MagsCommands", "MagsModel", argumentParser]),
        tests("HouseTests", []),
    ]
)
