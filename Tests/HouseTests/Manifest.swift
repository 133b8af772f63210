/// Package.swift, as far as the house needs it: its targets and whom each names.
struct Manifest {
    struct Target: Equatable {
        var kind: String
        var name: String
        /// Names of our own targets.
        var dependencies: [String]
        /// Other packages' products.
        var products: [String] = []
    }

    var targets: [Target]

    var rooms: [Target] { targets.filter { $0.kind != "tests" } }
    var names: Set<String> { Set(rooms.map(\.name)) }

    /// Reads calls such as `room("X", ["Y", nio])`. What follows the name up to the closing bracket counts; words
    /// without quotes are other packages' products, by the names that the manifest gives them.
    init(text: String) {
        let product = /let (\w+) = Target\.Dependency\.product\(name: "(\w+)"/
        let products = Dictionary(
            text.matches(of: product).map { (String($0.output.1), String($0.output.2)) }, uniquingKeysWith: { $1 })
        let call = /(room|program|tests|\.target)\(\s*(?:name:\s*)?"(\w+)"([^\)]*)\)/
        targets = text.matches(of: call).map { match in
            let quoted = /"(\w+)"/
            let word = /\w+/
            return Target(
                kind: String(match.output.1), name: String(match.output.2),
                dependencies: match.output.3.matches(of: quoted).map { String($0.output.1) },
                products: match.output.3.replacing(quoted, with: "").matches(of: word).compactMap {
                    products[String($0.output)]
                })
        }
    }
}
