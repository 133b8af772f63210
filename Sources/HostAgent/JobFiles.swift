import Foundation
import HostSystem
package import Machines
package import MagsModel
import NodeWire

/// What a node must know of a job after a crash: written before the script can run, and again when it has ended.
package struct JobJournal: Codable, Sendable {
    package var id: JobID
    package var machine: MachineRecord
    /// The job in whose machine this script runs; nil for one that has the machine itself.
    package var inside: JobID?
    /// The guest's name for the script; nil in journals of versions that knew one only.
    package var stream: UInt16?
    /// The count of the guest's bytes before it got the script; nil in journals of versions without it.
    package var received: UInt64?
    /// Microseconds since 1970 at which the script was sent, and at which its time is up.
    package var startedAt: Int64
    package var deadline: Int64
    /// Set before the script is stopped, so that a crash in between still ends as it was meant.
    package var pendingCause: JobOutcome.Cause?
    package var outcome: JobOutcome?
    /// The control plane has stored the outcome.
    package var isSettled = false

    var running: RunningMachine {
        RunningMachine(
            machine: machine.id, accelerator: machine.accelerator.rawValue, image: machine.imageDescription,
            startedAt: startedAt)
    }
}

/// The folder that a node keeps of each job: `journal.json`, `output`, `progress`.
package struct JobFiles: Sendable {
    /// What there is of a job's journal. Only one that was never written tells that the script never ran.
    enum Entry {
        case missing
        case unreadable(String)
        case present(JobJournal)
    }

    package let folder: String
    private let flushes = DispatchQueue(label: "journals")

    package init(home: String) { folder = home + "/jobs" }

    func path(_ job: JobID) -> String { "\(folder)/\(job)" }

    func create(_ job: JobID) throws {
        try FileManager.default.createDirectory(atPath: path(job), withIntermediateDirectories: true)
    }

    /// Replaces the journal in one step: a crash leaves the old or the new one.
    func write(_ journal: JobJournal) throws {
        let target = path(journal.id) + "/journal.json"
        let temporary = target + ".new"
        try JSONEncoder().encode(journal).write(to: URL(fileURLWithPath: temporary))
        guard rename(temporary, target) == 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
    }

    /// A killed process needs no flush, only the host's own crash does. It costs 4 to 12 ms on an ordinary disk, also for a
    /// file that lies there already, and holds up what is written meanwhile. So it waits until the first byte of output
    /// is usually out; a host that crashes before forgets the job together with its machine, and the job runs again.
    static let flushDelay = 0.05

    /// Has the job's journal survive a crash of the host.
    func flush(_ job: JobID) {
        let paths = [path(job) + "/journal.json", path(job), folder]
        flushes.async {
            for path in paths {
                let descriptor = open(path, O_RDONLY | O_CLOEXEC)
                guard descriptor >= 0 else { continue }
                fsync(descriptor)
                close(descriptor)
            }
        }
    }

    func journal(_ job: JobID) -> Entry {
        let path = path(job) + "/journal.json"
        do {
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            return .present(try JSONDecoder().decode(JobJournal.self, from: data))
        } catch {
            var status = stat()
            if lstat(path, &status) != 0, errno == ENOENT { return .missing }
            return .unreadable("\(error)")
        }
    }

    /// Every job that has a folder here.
    func all() -> [JobID] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.compactMap { JobID($0) }
    }

    func exists(_ job: JobID) -> Bool { FileManager.default.fileExists(atPath: path(job) + "/output") }

    /// Seconds since 1970 at which the job's folder got its last journal.
    func lastChange(_ job: JobID) -> Int64 {
        var status = stat()
        return lstat(path(job), &status) == 0 ? Int64(status.st_mtim.tv_sec) : .max
    }

    func remove(_ job: JobID) { try? FileManager.default.removeItem(atPath: path(job)) }
}
