import GuestWire
import HostSystem
package import Logging
package import Machines
package import MagsModel
import NIOCore
package import NodeWire

/// One node: carries out the control plane's assignments with the engine's machines, and reports.
///
/// What it knows of a job is on disk before it matters, so a new host agent takes the machines of a killed one over.
package actor HostAgent {
    package struct Configuration: Sendable {
        /// MAGS_HOME.
        package var home: String
        /// Where the control plane keeps uploads.
        package var uploads: String
        package init(home: String, uploads: String) {
            self.home = home
            self.uploads = uploads
        }
    }

    let configuration: Configuration
    let engine: Engine
    let files: JobFiles
    let clock: JobClock
    let logger: Logger
    let diagnose: @Sendable () async -> [Finding]

    var jobs: [JobID: JobRun] = [:]
    /// Outputs of settled jobs that somebody reads.
    var archive: [JobID: JobOutput] = [:]
    var isStopping = false
    let connections = NodeConnections()
    /// Which job each reader follows.
    var readers: [JobOutput.Reader: JobID] = [:]

    private let executor = QueueExecutor("mags.host-agent")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    package init(
        configuration: Configuration, engine: Engine, clock: JobClock, logger: Logger,
        diagnose: @escaping @Sendable () async -> [Finding]
    ) {
        self.configuration = configuration
        self.engine = engine
        self.files = JobFiles(home: configuration.home)
        self.clock = clock
        self.logger = logger
        self.diagnose = diagnose
    }

    /// Serves control planes until the listener closes.
    package func serve(_ listener: NodeListener) async {
        await withDiscardingTaskGroup { group in
            for await channel in listener.connections {
                let number = connections.add(channel)
                group.addTask { await self.serve(channel, number: number) }
            }
            connections.closeAll()
        }
    }

    private func serve(_ channel: NodeChannel, number: Int) async {
        for await frame in channel.frames {
            guard case .assignment(let assignment) = frame else { continue }
            await carryOut(assignment, from: number, channel)
        }
        connections.remove(number)
        for (reader, job) in readers where reader.connection == number {
            readers[reader] = nil
            unfollow(reader, job: job, wasCut: true)
        }
    }

    private func carryOut(_ assignment: Assignment, from connection: Int, _ channel: NodeChannel) async {
        switch assignment {
        case .start(let job): start(job)
        case .stop(let id): stop(id)
        case .follow(let reader, let job, let offset, let credit):
            follow(JobOutput.Reader(connection: connection, number: reader), job, from: offset, credit: credit, channel)
        case .consume(let reader, let bytes):
            let reader = JobOutput.Reader(connection: connection, number: reader)
            if let job = readers[reader] { (jobs[job]?.output ?? archive[job])?.consume(reader, bytes: bytes) }
        case .unfollow(let reader):
            let reader = JobOutput.Reader(connection: connection, number: reader)
            if let job = readers.removeValue(forKey: reader) { unfollow(reader, job: job, wasCut: false) }
        case .settle(let id): settle(id)
        case .forget(let id): forget(id)
        case .inventory:
            for run in jobs.values { channel.send(.report(run.currentReport)) }
            channel.send(.report(.inventoryEnd))
        case .pool(let request):
            let counts = await engine.status()
            let status = PoolStatus(
                idle: counts.idle, busy: counts.busy, warming: counts.warming, restingSize: counts.restingSize,
                waiting: counts.waiting)
            channel.send(.report(.pool(request: request, status)))
        case .diagnose(let request):
            // Looks at the host for a while; assignments must not wait for it.
            let diagnose = diagnose
            Task { channel.send(.report(.diagnosis(request: request, await diagnose()))) }
        }
    }
}
