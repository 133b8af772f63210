import Glibc
package import HostSystem

/// What an engine is told by whoever starts it.
package struct EngineConfiguration: Sendable {
    /// The server's data folder; machines live under `machines` in it.
    package var home: String
    /// Boot files, images and templates, shared by all servers of the host.
    package var cache: String
    package var instance: Instance
    /// Root: machines get users, groups, namespaces and cgroups of their own.
    package var isPrivileged: Bool
    /// The image of the pool.
    package var image: String
    /// Nil: by the host's memory.
    package var restingPoolSize: Int?
    package var maximumMachines: Int?

    package init(
        home: String, cache: String, instance: Instance, isPrivileged: Bool, image: String = "standard",
        restingPoolSize: Int? = nil, maximumMachines: Int? = nil
    ) {
        self.home = home
        self.cache = cache
        self.instance = instance
        self.isPrivileged = isPrivileged
        self.image = image
        self.restingPoolSize = restingPoolSize
        self.maximumMachines = maximumMachines
    }

    var machinesFolder: String { home + "/machines" }
    var templatesFolder: String { cache + "/templates" }

    /// What machines may have of the host's memory; the rest is everybody else's, the server's own processes included.
    func machinesMebibytes(hostMebibytes: Int) -> Int { hostMebibytes - reserve(hostMebibytes) }

    private func reserve(_ hostMebibytes: Int) -> Int { max(512, hostMebibytes / 12) }

    /// Machines in use may be promised three times the memory that there is. A script that is given 1 GiB seldom touches
    /// a third of it, so a host that promised no more than it has would stand mostly empty. When they do touch it, the
    /// machines' common control group, whose limit is what there is, ends one of them, and nothing else of the host.
    private static let overcommit = 3

    /// A warmed clone takes about 64 MB; at rest all of them take a tenth of the memory at most.
    func poolSettings(hostMebibytes: Int) -> PoolState.Settings {
        let resting = restingPoolSize ?? max(1, min(32, hostMebibytes / 10 / 64))
        let reserve = reserve(hostMebibytes)
        let maximum = maximumMachines ?? max(2, min(Instance.slotCount - 32, (hostMebibytes - reserve) / 192))
        return PoolState.Settings(
            restingSize: min(resting, maximum), burstSize: min(max(resting, min(2 * resting, 64)), maximum),
            maximumMachines: maximum, reserveMebibytes: reserve,
            promisableMebibytes: EngineConfiguration.overcommit * machinesMebibytes(hostMebibytes: hostMebibytes))
    }
}
