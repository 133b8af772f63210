import ControlPlane
import MagsAPI
import Store

extension Submission {
    init(_ request: SubmitRequest, owner: Owner) {
        self.init(owner: owner, script: request.script)
        type = request.type
        name = request.name
        workspaceID = request.workspaceID
        baseWorkspaceID = request.baseWorkspaceID
        isPersistent = request.persistent ?? false
        neverSleeps = request.noSleep ?? false
        neverSyncs = request.noSync ?? false
        startupCommand = request.startupCommand
        environment = request.environment ?? [:]
        fileIDs = request.fileIDs ?? []
        diskGigabytes = request.diskGB
        rootfsType = request.rootfsType
        timeoutSeconds = request.timeout
        processors = request.vcpus
        memoryMebibytes = request.memoryMB
        idleMinutes = request.idleMinutes
    }
}
