import ArgumentParser
import Foundation
import HostSystem

/// MAGS_HOME and what lies where in it.
struct Home: ParsableArguments {
    @Option(help: "The server's data folder (MAGS_HOME).")
    var home: String = Home.standard

    static var standard: String {
        let environment = ProcessInfo.processInfo.environment
        if let named = environment["MAGS_HOME"], !named.isEmpty { return named }
        if geteuid() == 0 { return "/var/lib/mags" }
        if let data = environment["XDG_DATA_HOME"], !data.isEmpty { return data + "/mags" }
        return NSHomeDirectory() + "/.local/share/mags"
    }

    static var cache: String {
        let environment = ProcessInfo.processInfo.environment
        if let named = environment["MAGS_CACHE"], !named.isEmpty { return named }
        if let cache = environment["XDG_CACHE_HOME"], !cache.isEmpty { return cache + "/mags" }
        return NSHomeDirectory() + "/.cache/mags"
    }

    /// As root the roles are users of their own, who must be able to pass every folder above the home.
    func checkReach() throws(HostError) {
        guard geteuid() == 0 else { return }
        var path = URL(fileURLWithPath: home).resolvingSymlinksInPath().deletingLastPathComponent().path
        while true {
            var status = stat()
            guard stat(path, &status) != 0 || status.st_mode & S_IXOTH != 0 else {
                throw HostError(
                    "home_unreachable",
                    "The folder \(path) is closed to other users, so the server's unprivileged parts cannot reach "
                        + "\(home).",
                    hint: "Choose another MAGS_HOME, or let others pass: chmod o+x \(path)")
            }
            guard path != "/" else { return }
            path = URL(fileURLWithPath: path).deletingLastPathComponent().path
        }
    }

    var run: String { home + "/run" }
    /// The control plane's own folder: all that the API role may write.
    var api: String { home + "/api" }
    var uploads: String { api + "/uploads" }
    var database: String { api + "/mags.db" }
    var hostSocket: String { run + "/host.sock" }
    func pidFile(_ role: String) -> String { "\(run)/\(role).pid" }
}
