import HostSystem
import Logging
import NIOCore

/// The templates that are loaded, the least used one out first; builds what is missing, each once at a time.
actor TemplateRack {
    static let capacity = 4

    private struct Place {
        var template: Template
        var lastUse: UInt64
    }

    private let configuration: EngineConfiguration
    private let launcher: QEMULauncher
    private let store: TemplateStore
    private let qemuVersion: String
    private let eventLoop: any EventLoop
    private let logger: Logger
    private(set) var verdict: HostProbe.Verdict
    private var places: [MachineKind: Place] = [:]
    private var loading: [MachineKind: Task<Template, any Error>] = [:]
    /// Kinds whose template on disk was thrown away already because no clone of it came up.
    private var rebuilt: Set<MachineKind> = []
    private var proven: Set<MachineKind> = []
    private var uses: UInt64 = 0
    private var isClosed = false

    init(
        configuration: EngineConfiguration, launcher: QEMULauncher, qemuVersion: String, verdict: HostProbe.Verdict,
        eventLoop: any EventLoop, logger: Logger
    ) {
        self.configuration = configuration
        self.launcher = launcher
        self.qemuVersion = qemuVersion
        self.verdict = verdict
        self.eventLoop = eventLoop
        self.logger = logger
        store = TemplateStore(folder: configuration.templatesFolder, logger: logger)
    }

    /// The template of a kind: loaded, from disk, or booted and saved (seconds).
    func template(for kind: MachineKind) async throws(MachineError) -> Template {
        guard !isClosed else { throw .shuttingDown }
        do {
            let image = try ImageFiles.current(kind.image, in: configuration.cache)
            let boot = try BootFiles.current(in: configuration.cache)
            if let place = places[kind], place.template.key == key(kind, boot, image) {
                uses += 1
                places[kind]?.lastUse = uses
                return place.template
            }
            if let task = loading[kind] { return try await task.value }
            let task = Task { try await load(kind, boot, image) }
            loading[kind] = task
            defer { loading[kind] = nil }
            let template = try await task.value
            keep(template)
            return template
        } catch {
            throw MachineError("Making a template", error)
        }
    }

    /// Gives up what is being loaded or built, and returns when nothing of it is left.
    func close() async {
        isClosed = true
        for task in loading.values {
            task.cancel()
            _ = try? await task.value
        }
    }

    /// A clone of this kind came up.
    func prove(_ kind: MachineKind) { proven.insert(kind) }

    /// A clone did not come up. A template of which none ever did is built anew, once.
    func doubt(_ kind: MachineKind) async {
        guard !proven.contains(kind), rebuilt.insert(kind).inserted, let place = places.removeValue(forKey: kind) else {
            return
        }
        let store = store
        logger.warning("template thrown away: no clone of it came up", metadata: ["image": "\(kind.image)"])
        try? await blocking("Removing a template") { store.remove(place.template.key) }
    }

    private func load(_ kind: MachineKind, _ boot: BootFiles, _ image: ImageFiles) async throws -> Template {
        do {
            return try await loadOrBuild(kind, boot, image)
        } catch let error as MachineError
            where error.code == "boot_failed" && verdict.accelerator == .kvm && !Task.isCancelled
        {
            // The last and surest probe of KVM is the boot itself.
            verdict.accelerator = .tcg
            verdict.reason = "KVM answers, but a machine did not boot with it: \(error.message)"
            logger.warning("KVM does not work here", metadata: ["reason": "\(verdict.reason)"])
            return try await loadOrBuild(kind, boot, image)
        }
    }

    private func loadOrBuild(_ kind: MachineKind, _ boot: BootFiles, _ image: ImageFiles) async throws -> Template {
        let key = key(kind, boot, image)
        let store = store
        let lock = try await store.lock(key)
        defer { withExtendedLifetime(lock) {} }
        if let template = try await blocking("Loading a template", { try store.load(key, kind: kind, image: image) }) {
            return template
        }
        let builder = TemplateBuilder(
            launcher: launcher, store: store, boot: boot, image: image, eventLoop: eventLoop, logger: logger)
        try await builder.build(key)
        guard
            let template = try await blocking("Loading a template", { try store.load(key, kind: kind, image: image) })
        else { throw MachineError("template_damaged", "A template was damaged as soon as it was built.") }
        return template
    }

    private func keep(_ template: Template) {
        uses += 1
        places[template.kind] = Place(template: template, lastUse: uses)
        while places.count > TemplateRack.capacity, let least = places.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
            places[least.key] = nil
        }
    }

    private func key(_ kind: MachineKind, _ boot: BootFiles, _ image: ImageFiles) -> TemplateKey {
        TemplateKey(
            boot: boot, image: image, qemu: qemuVersion, verdict: verdict, accelerator: verdict.accelerator,
            size: kind.size, hasNetwork: launcher.network != nil)
    }
}
