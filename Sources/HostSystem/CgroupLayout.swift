internal import Glibc

/// Where this host has the control groups that we use. A host has version 1 (a tree for each controller), version 2 (one
/// tree), or both, with each controller in one of them.
struct CgroupLayout: Sendable, Equatable {
    enum Version: Sendable { case one, two }

    struct Tree: Sendable, Equatable {
        var version: Version
        /// Where it is mounted.
        var root: String
    }

    static let controllers = ["memory", "cpu", "pids"]

    /// By controller; one that is missing is one that the host does not offer.
    var trees: [String: Tree] = [:]

    static func found() -> CgroupLayout {
        CgroupLayout(mounts: (try? SystemFile.text("/proc/self/mounts")) ?? "") { root in
            (try? SystemFile.text("\(root)/cgroup.controllers")) ?? ""
        }
    }

    /// `unified` tells which controllers the version 2 tree at a root has.
    init(mounts: String, unified: (String) -> String) {
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 3 else { continue }
            let root = String(fields[1])
            let (version, words): (Version, [Substring]) =
                switch fields[2] {
                case "cgroup": (.one, fields[3].split(separator: ","))
                case "cgroup2": (.two, unified(root).split(whereSeparator: { $0 == " " || $0 == "\n" }))
                default: (.one, [])
                }
            for controller in Self.controllers where words.contains(Substring(controller)) {
                trees[controller] = Tree(version: version, root: root)
            }
        }
    }

    /// Each tree once: several controllers may share one.
    var roots: [Tree] {
        Self.controllers.compactMap { trees[$0] }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    var description: String {
        let parts = Self.controllers.map { controller in
            switch trees[controller]?.version {
            case .one: "\(controller) v1"
            case .two: "\(controller) v2"
            case nil: "no \(controller)"
            }
        }
        return parts.joined(separator: ", ")
    }
}
