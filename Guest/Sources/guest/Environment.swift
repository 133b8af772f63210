import CGuest

/// The variables of a process.
enum Environment {
    static let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// What every process gets unless its exec says otherwise.
    static func base() -> [(String, String)] {
        [
            ("PATH", path), ("HOME", "/root"), ("USER", "root"), ("LOGNAME", "root"),
            ("SHELL", Interpreter.bashPath == nil ? "/bin/sh" : "/bin/bash"), ("LANG", "C.UTF-8"), ("TERM", "dumb"),
        ]
    }

    /// The base with `changes` in it; the last of two values for one name holds.
    static func merged(with changes: [(String, String)]) -> [(String, String)] {
        var result = base()
        var places: [String: Int] = [:]
        for (index, entry) in result.enumerated() { places[entry.0] = index }
        for change in changes {
            if let place = places[change.0] {
                result[place] = change
            } else {
                places[change.0] = result.count
                result.append(change)
            }
        }
        return result
    }

    static func areValid(_ pairs: [(String, String)]) -> Bool {
        pairs.allSatisfy { name, value in
            !name.isEmpty && !name.utf8.contains(UInt8(ascii: "=")) && !name.utf8.contains(0) && !value.utf8.contains(0)
        }
    }

    /// Whether an interpreter that runs already can still take these as if it had been started with them: not when it
    /// or its C library looks at them while it starts, or keeps them itself, or when a shell cannot name them.
    static func canBeSetLater(_ pairs: [(String, String)]) -> Bool { pairs.allSatisfy { canBeSetLater($0.0) } }

    private static func canBeSetLater(_ name: String) -> Bool {
        for prefix in ["LD_", "LC_", "PYTHON", "BASH", "MALLOC_", "GLIBC_", "COMP_"]
        where name.utf8.starts(with: prefix.utf8) {
            return false
        }
        return isShellName(name) && !kept.contains(name)
    }

    private static let kept: Set<String> = [
        "LANG", "LANGUAGE", "LOCPATH", "TZ", "TZDIR", "ENV", "IFS", "PWD", "OLDPWD", "SHLVL", "SHELLOPTS",
        "POSIXLY_CORRECT",
        "UID", "EUID", "PPID", "RANDOM", "SRANDOM", "SECONDS", "LINENO", "GROUPS", "DIRSTACK", "FUNCNAME", "HISTCMD",
        "HOSTNAME", "HOSTTYPE", "MACHTYPE", "OSTYPE", "OPTIND", "OPTARG", "OPTERR", "EPOCHSECONDS", "EPOCHREALTIME",
        "PIPESTATUS", "MAPFILE", "REPLY", "COPROC", "TMOUT", "PS4", "_",
    ]

    private static func isShellName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(48...57).contains(first) else { return false }
        return name.utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == UInt8(ascii: "_")
        }
    }
}
