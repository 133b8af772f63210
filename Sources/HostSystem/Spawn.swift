internal import CHost
internal import Glibc

/// Hands a `ProcessSpec` to C, where all between fork and exec happens.
enum Spawn {
    static func start(_ spec: ProcessSpec) throws(HostError) -> Int32 {
        let highest = spec.descriptors.keys.max() ?? -1
        guard highest < CHOST_MAX_DESCRIPTORS, spec.descriptors.keys.allSatisfy({ $0 >= 0 }) else {
            throw HostError("bad_process", "\(spec.program) is to get descriptor \(highest), and 255 is the highest.")
        }
        let strings = spec.arguments + spec.environment
        guard !spec.arguments.isEmpty, !(strings + [spec.program]).contains(where: { $0.utf8.contains(0) }) else {
            throw HostError("bad_process", "\(spec.program) has no arguments, or one with a zero byte in it.")
        }
        let sources = (0...max(highest, 2)).map { number in
            spec.descriptors[number].map(\.rawValue) ?? (number <= 2 ? -1 : -2)
        }
        let cgroups = spec.cgroup?.processFiles.map(\.rawValue) ?? []

        var arguments: [UnsafeMutablePointer<CChar>?] = spec.arguments.map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = spec.environment.map { strdup($0) } + [nil]
        let path = spec.programDescriptor == nil ? strdup(spec.program) : nil
        let directory = spec.directory.flatMap { strdup($0) }
        let hidden: [UnsafePointer<CChar>?] = spec.hiddenFolders.map { UnsafePointer(strdup($0)) } + [nil]
        defer {
            for string in arguments + environment { free(string) }
            for string in hidden { free(UnsafeMutablePointer(mutating: string)) }
            free(path)
            free(directory)
        }

        var failure = chost_failure()
        let pid = sources.withUnsafeBufferPointer { sources in
            cgroups.withUnsafeBufferPointer { cgroups in
                hidden.withUnsafeBufferPointer { hidden in
                    arguments.withUnsafeMutableBufferPointer { arguments in
                        environment.withUnsafeMutableBufferPointer { environment in
                            var request = chost_spawn()
                            request.path = UnsafePointer(path)
                            request.program = spec.programDescriptor?.rawValue ?? -1
                            request.argv = UnsafePointer(arguments.baseAddress)
                            request.envp = UnsafePointer(environment.baseAddress)
                            request.sources = sources.baseAddress
                            request.source_count = Int32(sources.count)
                            request.uid = spec.uid.map(Int64.init) ?? -1
                            request.gid = spec.gid.map(Int64.init) ?? -1
                            request.netns = spec.networkNamespace?.rawValue ?? -1
                            request.cgroups = cgroups.baseAddress
                            request.cgroup_count = Int32(cgroups.count)
                            request.nice = spec.nice
                            request.private_mounts = spec.hasPrivateMounts && Capability.sysAdmin.isHeld ? 1 : 0
                            request.hidden = hidden.baseAddress
                            request.no_new_privileges = spec.noNewPrivileges ? 1 : 0
                            request.max_open_files = spec.maximumOpenFiles ?? 0
                            request.directory = UnsafePointer(directory)
                            return chost_spawn(&request, &failure)
                        }
                    }
                }
            }
        }
        guard pid > 0 else { throw error(failure, spec) }
        return pid
    }

    private static func error(_ failure: chost_failure, _ spec: ProcessSpec) -> HostError {
        let step = step(failure.step)
        if failure.step == chost_step_exec.rawValue, failure.error == ENOENT {
            return HostError(
                errno: ENOENT, code: "program_missing", "\(spec.program) could not be started",
                hint: "Install it, or see what `mags doctor` says.")
        }
        return HostError(errno: failure.error, code: "spawn_failed", "\(spec.program) could not be started: \(step)")
    }

    private static func step(_ number: Int32) -> String {
        switch chost_step(UInt32(bitPattern: number)) {
        case chost_step_session: "a session of its own"
        case chost_step_cgroup: "joining its control group"
        case chost_step_network: "entering its network namespace"
        case chost_step_mounts: "mounts of its own"
        case chost_step_descriptors: "placing its descriptors"
        case chost_step_directory: "entering its folder"
        case chost_step_limits: "its limits"
        case chost_step_nice: "its priority"
        case chost_step_groups: "leaving our groups"
        case chost_step_gid: "its group"
        case chost_step_uid: "its user"
        case chost_step_capabilities: "dropping capabilities"
        case chost_step_privileges: "giving up new privileges"
        case chost_step_exec: "the program"
        default: "a new process"
        }
    }
}
