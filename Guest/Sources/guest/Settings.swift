import GuestWire

/// What a waiting interpreter reads when it may go on: everything that a fresh start would have got from its `execve`.
enum Settings {
    /// - Parameter entersFolder: also when it is the one that the shell was started in.
    static func bash(_ exec: Exec, name: String, entersFolder: Bool) -> [UInt8] {
        var text: [UInt8] = Array("unset BASH_ENV\n".utf8)
        if !exec.takesInput { text += Array("exec 0</dev/null\n".utf8) }
        if exec.workingDirectory != "/root" || entersFolder {
            text +=
                Array("cd -P -- ".utf8) + quoted(exec.workingDirectory) + Array("\nunset OLDPWD; export OLDPWD\n".utf8)
        }
        for (name, value) in exec.environment {
            text += Array("export \(name)=".utf8) + quoted(value) + [UInt8(ascii: "\n")]
        }
        // Both would else be older than the machine's identity or its script. The last word is what a shell finds in $_.
        var generator = SystemRandomNumberGenerator()
        let random = UInt32(truncatingIfNeeded: generator.next())
        text += Array("BASH=\(name) SECONDS=0 RANDOM=\(random)\n: \(name)\n".utf8)
        return text
    }

    /// Fields that end with a zero byte: folder, "1" if standard input is kept, name, then the variables.
    static func python(_ exec: Exec, name: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for field in [exec.workingDirectory, exec.takesInput ? "1" : "0", name] { bytes += Array(field.utf8) + [0] }
        for (name, value) in exec.environment {
            bytes += Array(name.utf8) + [UInt8(ascii: "=")] + Array(value.utf8) + [0]
        }
        return bytes
    }

    /// Imported while python3 starts, before it opens its script. It leaves no trace, and its end looks to python like a
    /// machine without a `usercustomize`, which is what it is.
    static func pythonWaiting(place: String) -> String {
        """
        import os, sys
        sys.path.remove('\(place).wait')
        sys.path_importer_cache.pop('\(place).wait', None)
        del os.environ['PYTHONPATH']
        with open('\(place).start', 'rb') as bell:
            fields = bell.read()
        if not fields:
            with open('\(place).settings', 'rb') as settings:
                fields = settings.read()
        fields = fields.split(b'\\0')[:-1]
        os.chdir(fields[0])
        if fields[1] == b'0':
            null = os.open('/dev/null', os.O_RDONLY)
            os.dup2(null, 0)
            os.close(null)
        sys.orig_argv[0] = os.fsdecode(fields[2])
        for field in fields[3:]:
            name, _, value = field.partition(b'=')
            os.environb[name] = value
        raise ImportError(name='usercustomize')

        """
    }

    private static func quoted(_ text: String) -> [UInt8] {
        var result: [UInt8] = [UInt8(ascii: "'")]
        for byte in text.utf8 {
            if byte == UInt8(ascii: "'") { result += Array("'\\''".utf8) } else { result.append(byte) }
        }
        result.append(UInt8(ascii: "'"))
        return result
    }
}
