import MagsModel

/// Takes the settings out of an environment and checks what is left for the script.
enum EnvironmentRules {
    struct Settings: Equatable {
        var visible: [String: String] = [:]
        var memoryGibibytes: Int?
    }

    /// The kernel takes no single `KEY=VALUE` of 128 KiB or more.
    static let entryBytes = 128 * 1024 - 1
    static let known = ["__MAGS_ROOTFS_TYPE", "__MAGS_MEM_GB", "__MAGS_IDLE_MIN", "__MAGS_KEEP_ALIVE"]

    static func check(_ environment: [String: String]) throws(Problem) -> Settings {
        guard environment.count <= Limits.environmentEntries else {
            throw Problem.invalid("environment", "has more than \(Limits.environmentEntries) variables.")
        }
        var settings = Settings()
        var total = 0
        for (key, value) in environment {
            if key.hasPrefix("__MAGS_") {
                try apply(key, value, to: &settings)
                continue
            }
            guard !key.isEmpty else { throw Problem.invalid("environment", "has a variable without a name.") }
            guard !key.utf8.contains(UInt8(ascii: "=")), !key.utf8.contains(0), !value.utf8.contains(0) else {
                throw Problem.invalid(
                    "environment", "has a name with '=' or NUL, or a value with NUL; no process can be given these.")
            }
            let size = key.utf8.count + value.utf8.count + 1
            guard size <= entryBytes else {
                throw Problem.invalid("environment", "has a variable of 128 KiB or more.")
            }
            total += size + 1
            settings.visible[key] = value
        }
        guard total <= Limits.environmentBytes else {
            throw Problem.invalid(
                "environment", "is larger than \(Limits.environmentBytes / 1024) KiB.",
                hint: "Upload large values with POST /api/v1/mags-files and name them in file_ids.")
        }
        return settings
    }

    private static func apply(_ key: String, _ value: String, to settings: inout Settings) throws(Problem) {
        switch key {
        case "__MAGS_ROOTFS_TYPE":
            guard value.isEmpty || value == "standard" else {
                throw Problem.notAvailableYet("environment.\(key)", "Only \"standard\" can be had.")
            }
        case "__MAGS_MEM_GB":
            guard let size = Int(value), (1...4096).contains(size) else {
                throw Problem.invalid("environment.\(key)", "must be a whole number of GiB.")
            }
            settings.memoryGibibytes = size
        case "__MAGS_KEEP_ALIVE":
            guard value.isEmpty || value == "false" else { throw Problem.notAvailableYet("environment.\(key)") }
        case "__MAGS_IDLE_MIN": throw Problem.notAvailableYet("environment.\(key)")
        default:
            let shown = String(key.prefix(64))
            throw Problem(
                400, "unknown_setting", "environment.\(shown) is not a setting that this server knows.",
                hint: Nearest.name(to: key, of: known).map { "Did you mean \($0)?" })
        }
    }
}
