/// A program to start and all that holds for it. What is not named here the child does not get: no other descriptor, no
/// other environment, no terminal, no core file.
package struct ProcessSpec: Sendable {
    /// Path of the program; only a name for messages when `programDescriptor` is set.
    package var program: String
    /// The program itself, so that one in a folder that `uid` cannot enter still starts.
    package var programDescriptor: FileDescriptor?
    /// `argv`, its own name first.
    package var arguments: [String]
    /// `NAME=VALUE` lines, all of them.
    package var environment: [String]
    /// The child's number to ours, numbers below 256. 0, 1 and 2 are /dev/null when not given.
    package var descriptors: [Int32: FileDescriptor]
    /// Setting either drops all groups; the uid, all capabilities too. Nil keeps ours.
    package var uid: UInt32?
    package var gid: UInt32?
    package var networkNamespace: FileDescriptor?
    package var cgroup: MachineCgroup?
    /// Absolute, 0 is the usual.
    package var nice: Int32
    /// When the host's memory is full it is ended before others.
    package var isFirstToGo: Bool
    /// So that it holds no mount of the host's busy; left out where root may not make mounts of its own.
    package var hasPrivateMounts: Bool
    /// With mounts of its own: folders of the host's that are empty for it.
    package var hiddenFolders: [String] = []
    package var noNewPrivileges: Bool
    /// Nil keeps ours.
    package var maximumOpenFiles: UInt64?
    package var directory: String?

    package init(
        program: String, programDescriptor: FileDescriptor? = nil, arguments: [String], environment: [String] = [],
        descriptors: [Int32: FileDescriptor] = [:], uid: UInt32? = nil, gid: UInt32? = nil,
        networkNamespace: FileDescriptor? = nil, cgroup: MachineCgroup? = nil, nice: Int32 = 0,
        isFirstToGo: Bool = false, hasPrivateMounts: Bool = false, noNewPrivileges: Bool = true,
        maximumOpenFiles: UInt64? = nil,
        directory: String? = nil
    ) {
        self.program = program
        self.programDescriptor = programDescriptor
        self.arguments = arguments
        self.environment = environment
        self.descriptors = descriptors
        self.uid = uid
        self.gid = gid
        self.networkNamespace = networkNamespace
        self.cgroup = cgroup
        self.nice = nice
        self.isFirstToGo = isFirstToGo
        self.hasPrivateMounts = hasPrivateMounts
        self.noNewPrivileges = noNewPrivileges
        self.maximumOpenFiles = maximumOpenFiles
        self.directory = directory
    }
}
