// swift-tools-version: 6.2
import PackageDescription

// The program inside the machine: Embedded Swift on static musl, so that it needs nothing of any image. A manifest
// cannot ask where the toolchain keeps Embedded's tables or where musl is; script/lib/guest.sh says so. With
// GUEST_FULL=1 the same sources are built as ordinary Swift, which keeps them within the language.
let isFull = Context.environment["GUEST_FULL"] == "1"
let tables = Context.environment["SWIFT_EMBEDDED_LIBRARIES"] ?? "."
let muslHeaders = Context.environment["MUSL_HEADERS"] ?? "."
let muslLibraries = Context.environment["MUSL_LIBRARIES"] ?? "."

let rules: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]
let headers = ["-nostdlibinc", "-isystem", muslHeaders]
let embedded: [SwiftSetting] = [
    .enableExperimentalFeature("Embedded"),
    .unsafeFlags(["-wmo", "-Osize"] + headers.flatMap { ["-Xcc", $0] }),
]
let swiftSettings = isFull ? rules : rules + embedded
let cSettings: [CSetting] =
    isFull
    ? [.define("_GNU_SOURCE")]
    : [
        .define("_GNU_SOURCE"),
        .unsafeFlags(headers + ["-Os", "-ffunction-sections", "-fdata-sections", "-U_FORTIFY_SOURCE"]),
    ]
let linkerSettings: [LinkerSetting] =
    isFull
    ? [.unsafeFlags(["-static-executable"])]
    : [
        .unsafeFlags([
            "-Xclang-linker", "-static", "-Xclang-linker", "-nostdlib", "-Xclang-linker", "-nostartfiles",
            "\(muslLibraries)/crt1.o", "\(muslLibraries)/crti.o", "-L", muslLibraries, "-L", tables,
            "-Xlinker", "--gc-sections", "-Xlinker", "-s", "-lswiftUnicodeDataTables", "-lm", "-lc",
            "\(muslLibraries)/crtn.o",
        ])
    ]

let package = Package(
    name: "guest",
    targets: [
        .target(name: "CGuest", cSettings: cSettings),
        .target(name: "GuestWire", swiftSettings: swiftSettings),
        .executableTarget(
            name: "guest", dependencies: ["CGuest", "GuestWire"], swiftSettings: swiftSettings,
            linkerSettings: linkerSettings),
    ]
)
