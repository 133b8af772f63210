import Foundation
import HostSystem
import Logging

/// One of the server's processes.
struct Role: Sendable {
    var name: String
    var arguments: [String]
    /// User and group to run as; nil keeps the supervisor's.
    var identity: UInt32?
}

/// Keeps the roles running. Each ends when the supervisor does, by its life line.
actor Supervisor {
    private let home: Home
    private let roles: [Role]
    private let logger: Logger
    private let program: FileDescriptor
    private let life: (read: FileDescriptor, write: FileDescriptor)
    private var running: [String: ChildProcess] = [:]
    private var isStopping = false
    /// Once stopped: whether no machine and no network of this server is left on the host.
    private(set) var leftNothing = false

    init(home: Home, instance: Instance, roles: [Role], logger: Logger) throws {
        self.home = home
        self.roles = roles
        self.logger = logger
        program = try FileDescriptor.open("/proc/self/exe", O_RDONLY)
        life = try FileDescriptor.pipe()
    }

    /// Runs the roles until `stop`, and keeps the log in bounds until it is cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            for role in roles { group.addTask { await self.keep(role) } }
            group.addTask { await self.trimLog() }
        }
    }

    /// Looks once a minute, until cancelled. All roles write to the log that `script/up` opened for this process.
    private nonisolated func trimLog() async {
        let log = GrowingLog(path: home.home + "/log/magsd.log")
        while !Task.isCancelled {
            do {
                try await SystemThread.perform { () throws(HostError) in try log.trim(openAs: 2) }
            } catch {
                logger.warning("the log grows on", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: .seconds(60))
        }
    }

    private func keep(_ role: Role) async {
        var delay = Duration.milliseconds(50)
        while !isStopping {
            let started = ContinuousClock.now
            do {
                let child = try start(role)
                running[role.name] = child
                PIDFile.write(home.pidFile(role.name), pid: child.pid)
                let status = await child.waitForExit()
                running[role.name] = nil
                PIDFile.remove(home.pidFile(role.name))
                if isStopping { return }
                logger.warning(
                    "role ended, starting it again", metadata: ["role": "\(role.name)", "status": "\(status)"])
            } catch {
                logger.error("role not started", metadata: ["role": "\(role.name)", "error": "\(error)"])
            }
            // A role that keeps failing is tried more and more slowly; one that ran for a while at once.
            delay = ContinuousClock.now - started > .seconds(10) ? .milliseconds(50) : min(delay * 2, .seconds(10))
            try? await Task.sleep(for: delay)
        }
    }

    private func start(_ role: Role) throws -> ChildProcess {
        let log = try FileDescriptor.duplicate(of: 2)
        var environment = ProcessInfo.processInfo.environment.map { "\($0)=\($1)" }
        environment.append("MAGS_CACHE=\(Home.cache)")
        let spec = ProcessSpec(
            program: "magsd", programDescriptor: program, arguments: ["magsd"] + role.arguments,
            environment: environment, descriptors: [1: log, 2: log, LifeLine.descriptor: life.read],
            uid: role.identity, gid: role.identity, noNewPrivileges: role.identity != nil,
            directory: role.name == "api" ? home.api : "/")
        return try ChildProcess.spawn(spec)
    }

    /// Ends edge and API first, so that nothing new comes, then the host role, which ends its machines. One that did not
    /// end as it should, or that was not running, may have left some: another one removes them.
    func stop() async {
        isStopping = true
        for name in ["edge", "api"] {
            if let child = running[name] { _ = await end(child, within: .seconds(5)) }
        }
        if let child = running["host"] { leftNothing = await end(child, within: .seconds(25)).isSuccess }
        if !leftNothing { leftNothing = await reap() }
    }

    private func end(_ child: ChildProcess, within limit: Duration) async -> ExitStatus {
        child.signal(SIGTERM)
        return await wait(for: child, within: limit)
    }

    private func wait(for child: ChildProcess, within limit: Duration) async -> ExitStatus {
        let killer = Task {
            try await Task.sleep(for: limit)
            child.signal(SIGKILL)
        }
        defer { killer.cancel() }
        return await child.waitForExit()
    }

    private func reap() async -> Bool {
        guard var role = roles.first(where: { $0.name == "host" }) else { return false }
        role.arguments.append("--reap")
        do {
            return await wait(for: try start(role), within: .seconds(15)).isSuccess
        } catch {
            logger.error("machines not removed", metadata: ["error": "\(error)"])
            return false
        }
    }
}
