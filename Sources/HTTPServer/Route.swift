import Foundation
import Hummingbird

/// What a request asks for. Every route of the server is in `Route.table`, and nothing else is served.
enum Operation: String, Sendable, CaseIterable {
    case submitJob, listJobs, poolStatus, jobStatus, jobLogs, jobOutput, stopJob, updateJob
    case uploadFile, whoAmI, doctor, health, document
}

struct Route: Sendable {
    var method: HTTPRequest.Method
    /// Segments; `{id}` stands for any one.
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
        /// `id` is the path's variable segment, decoded; empty in a path without one.
        case found(Route, id: String)
        case wrongMethod(allowed: [HTTPRequest.Method])
        case notFound
    }

    /// Every segment counts, also an empty one: nothing is left out of a path to make it fit.
    static func match(_ method: HTTPRequest.Method, _ path: String) -> Match {
        let segments = path.split(separator: "/", maxSplits: 8, omittingEmptySubsequences: false).dropFirst()
        var allowed: [HTTPRequest.Method] = []
        var best: (route: Route, id: String)?
        for route in table where route.path.count == segments.count {
            var id = ""
            let isFitting = zip(route.path, segments).allSatisfy { pattern, segment in
                guard pattern == "{id}" else { return pattern == segment }
                id = String(segment).removingPercentEncoding ?? ""
                return !id.isEmpty
            }
            guard isFitting else { continue }
            if route.method == method {
                // A fixed segment wins over a variable one.
                if best == nil || !route.path.contains("{id}") { best = (route, id) }
            } else {
                allowed.append(route.method)
            }
        }
        if let best { return .found(best.route, id: best.id) }
        return allowed.isEmpty ? .notFound : .wrongMethod(allowed: allowed)
    }
}
