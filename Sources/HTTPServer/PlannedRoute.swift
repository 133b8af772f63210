import Hummingbird

/// What clients of the published API may ask for and this server does not do yet: it says so, rather than that there is
/// no such path.
struct PlannedRoute: Sendable {
    var method: HTTPRequest.Method
    /// As in `Route`.
    var path: [String]
    /// What it would do, as the beginning of a sentence.
    var feature: String

    static let table: [PlannedRoute] = ["v1", "v2"].flatMap { version in
        let root = ["api", version]
        let job = root + ["mags-jobs", "{id}"]
        let workspaces = ("Keeping workspaces", root + ["mags-workspaces"])
        let schedules = ("Running jobs on a schedule", root + ["mags-cron"])
        let aliases = ("A name of one's own for a URL", root + ["mags-url-aliases"])
        return [
            PlannedRoute(method: .post, path: job + ["access"], feature: "Access to a job's machine by URL or SSH"),
            PlannedRoute(method: .post, path: job + ["sync"], feature: workspaces.0),
            PlannedRoute(method: .get, path: root + ["mags-jobs", "usage"], feature: "A summary of usage"),
            PlannedRoute(method: .get, path: workspaces.1, feature: workspaces.0),
            PlannedRoute(method: .delete, path: workspaces.1 + ["{id}"], feature: workspaces.0),
            PlannedRoute(method: .post, path: schedules.1, feature: schedules.0),
            PlannedRoute(method: .get, path: schedules.1, feature: schedules.0),
            PlannedRoute(method: .get, path: schedules.1 + ["{id}"], feature: schedules.0),
            PlannedRoute(method: .patch, path: schedules.1 + ["{id}"], feature: schedules.0),
            PlannedRoute(method: .delete, path: schedules.1 + ["{id}"], feature: schedules.0),
            PlannedRoute(method: .post, path: aliases.1, feature: aliases.0),
            PlannedRoute(method: .get, path: aliases.1, feature: aliases.0),
            PlannedRoute(method: .delete, path: aliases.1 + ["{id}"], feature: aliases.0),
        ]
    }
}
