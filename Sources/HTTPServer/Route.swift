import Foundation
import Hummingbird

/// What a request asks for. Every route of the server is in `Route.table`, and nothing else is served.
enum Operation: String, Sendable, CaseIterable {
    case submitJob, listJobs, poolStatus, jobStatus, jobLogs, jobOutput, stopJob, updateJob
    case exec, startExec, execStatus, execOutput, stopExec
    case uploadFile, whoAmI, doctor, health, document
}

struct Route: Sendable {
    var method: HTTPRequest.Method
    /// Segments; one in braces stands for any.
    var path: [String]
    var operation: Operation
    var needsToken = true

    var verb: String { method.rawValue }

    static let table: [Route] =
        ["v1", "v2"].flatMap { version in
            let jobs = ["api", version, "mags-jobs"]
            return [
                Route(method: .post, path: jobs, operation: .submitJob),
                Route(method: .get, path: jobs, operation: .listJobs),
                Route(method: .get, path: jobs + ["pool-status"], operation: .poolStatus),
                Route(method: .get, path: jobs + ["{id}", "status"], operation: .jobStatus),
                Route(method: .get, path: jobs + ["{id}", "logs"], operation: .jobLogs),
                Route(method: .get, path: jobs + ["{id}", "output"], operation: .jobOutput),
                Route(method: .post, path: jobs + ["{id}", "stop"], operation: .stopJob),
                Route(method: .patch, path: jobs + ["{id}"], operation: .updateJob),
                Route(method: .post, path: jobs + ["{id}", "exec"], operation: .exec),
                Route(method: .post, path: jobs + ["{id}", "execs"], operation: .startExec),
                Route(method: .get, path: jobs + ["{id}", "execs", "{exec}"], operation: .execStatus),
                Route(method: .get, path: jobs + ["{id}", "execs", "{exec}", "output"], operation: .execOutput),
                Route(method: .post, path: jobs + ["{id}", "execs", "{exec}", "stop"], operation: .stopExec),
                Route(method: .post, path: ["api", version, "mags-files"], operation: .uploadFile),
                Route(method: .get, path: ["api", version, "whoami"], operation: .whoAmI),
                Route(method: .get, path: ["api", version, "doctor"], operation: .doctor),
            ]
        } + [
            Route(method: .get, path: ["health"], operation: .health, needsToken: false),
            Route(method: .get, path: ["api", "openapi.yaml"], operation: .document, needsToken: false),
            Route(method: .get, path: ["api", "openapi.json"], operation: .document, needsToken: false),
        ]

    enum Match {
        /// The published API has it, this server not yet.
        case planned(PlannedRoute)
        /// The path's variable segments, decoded, under their names with the braces.
        case found(Route, [String: String])
        case wrongMethod(allowed: [HTTPRequest.Method])
        case notFound
    }

    /// Every segment counts, also an empty one: nothing is left out of a path to make it fit.
    static func match(_ method: HTTPRequest.Method, _ path: String) -> Match {
        let segments = path.split(separator: "/", maxSplits: 8, omittingEmptySubsequences: false).dropFirst()
        if let planned = PlannedRoute.table.first(where: {
            $0.method == method && names(in: segments, as: $0.path) != nil
        }
        ) {
            return .planned(planned)
        }
        var allowed: [HTTPRequest.Method] = []
        var best: (route: Route, names: [String: String])?
        for route in table {
            guard let names = names(in: segments, as: route.path) else { continue }
            if route.method == method {
                // A fixed segment wins over a variable one.
                if best == nil || names.isEmpty { best = (route, names) }
            } else {
                allowed.append(route.method)
            }
        }
        if let best { return .found(best.route, best.names) }
        return allowed.isEmpty ? .notFound : .wrongMethod(allowed: allowed)
    }

    /// - Returns: the variable segments, decoded; nil when the path is another.
    private static func names(in segments: ArraySlice<Substring>, as pattern: [String]) -> [String: String]? {
        guard pattern.count == segments.count else { return nil }
        var names: [String: String] = [:]
        for (expected, segment) in zip(pattern, segments) {
            guard expected.hasPrefix("{") else {
                guard expected == segment else { return nil }
                continue
            }
            let name = String(segment).removingPercentEncoding ?? ""
            if name.isEmpty { return nil }
            names[expected] = name
        }
        return names
    }
}
