import ArgumentParser
import Foundation
import HostSystem
import Logging
import MagsModel

/// The supervisor: starts one process for each role and starts it again when it ends. It opens no socket and reads
/// nothing that comes from outside.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "serve", abstract: "Start the server.")

    @OptionGroup var home: Home
    @Option(help: "The API's port.") var port: Int = APIPort.standard
    @Option(help: "The address that the API listens on.") var address: String = "127.0.0.1"
    @Option(help: "Clones that wait in the pool when nothing happens.") var pool: Int?
    @Flag(help: "Let jobs of type url take their scripts from private networks and from this host.")
    var privateScriptAddresses = false

    func run() async throws {
        let logger = LogSetup.start(role: "magsd")
        let termination = Termination.begin()
        OOMPreference.rolesStay()
        try prepare()
        try home.checkReach()
        let lock = try HomeLock.take(home.run + "/magsd.lock", waiting: false)
        defer { lock.release() }
        let instance = try InstanceRegister.acquire(home: home.home)
        try await takeAPIFolder(for: instance, logger)
        try Data("\(port)\n".utf8).write(to: URL(fileURLWithPath: home.home + "/port"))
        try Data("\(instance.name) \(instance.index)\n".utf8)
            .write(to: URL(fileURLWithPath: home.home + "/instance"))
        PIDFile.write(home.pidFile("magsd"), pid: getpid())
        let supervisor = try Supervisor(
            home: home, instance: instance, roles: try roles(instance), logger: logger)
        try await termination.run {
            await supervisor.run()
        } stop: {
            await supervisor.stop()
        }
        PIDFile.remove(home.pidFile("magsd"))
        // What is left carries the server's number: it stays this home's, and its next start or script/down removes them.
        guard await supervisor.leftNothing else {
            logger.error("machines or their network may be left on this host", metadata: ["home": "\(home.home)"])
            throw ExitCode.failure
        }
        unlink(home.home + "/instance")
        InstanceRegister.release(home: home.home)
    }

    private func prepare() throws {
        let files = FileManager.default
        for (path, mode) in [
            (home.home, 0o711), (home.run, 0o755), (home.home + "/jobs", 0o700), (home.home + "/machines", 0o711),
        ] {
            try files.createDirectory(atPath: path, withIntermediateDirectories: true)
            try files.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        }
    }

    /// The API role's numbers may differ from those of the last start. All in its folder is its own, links and names too:
    /// nothing there is touched by its path, nor while a process of that user's could change it.
    private func takeAPIFolder(for instance: Instance, _ logger: Logger) async throws {
        let roles = Set([instance.apiUID, instance.edgeUID, instance.resolverUID].compactMap(\.self))
        let path = home.api
        try await SystemThread.perform { () throws(HostError) in
            UserProcesses.end(of: roles)
            let folder = try StrangersFolder.make(path, mode: 0o700)
            try folder.makeFolder("uploads", mode: 0o700)
            guard let owner = instance.apiUID else { return }
            let strange = folder.give(to: owner)
            if strange > 0 {
                logger.warning("things in the API's folder left as they are", metadata: ["count": "\(strange)"])
            }
        }
    }

    private func roles(_ instance: Instance) throws -> [Role] {
        let isRoot = geteuid() == 0
        let common = ["--home", home.home]
        var host = ["host"] + common + ["--instance", try instance.encoded()]
        if let pool { host += ["--pool", "\(pool)"] }
        var api = ["api"] + common + ["--port", "\(port)", "--address", address]
        if privateScriptAddresses { api.append("--private-script-addresses") }
        return [
            Role(name: "host", arguments: host, identity: nil),
            Role(name: "api", arguments: api, identity: isRoot ? instance.uidBase : nil),
            Role(
                name: "edge", arguments: ["edge"] + common + ["--port", "\(try EdgePort.kept(in: home))"],
                identity: isRoot ? instance.uidBase + 1 : nil),
        ]
    }
}

extension Instance {
    func encoded() throws -> String { String(decoding: try JSONEncoder().encode(self), as: UTF8.self) }
    static func decoded(_ text: String) throws -> Instance {
        try JSONDecoder().decode(Instance.self, from: Data(text.utf8))
    }
}
