public import MagsAPI

extension LogEntry {
    /// What is missing here, when the entry stands for output that is kept no longer.
    ///
    /// The server says so in a line of the platform's own, `N bytes of standard output are missing here: …`, which no
    /// script can write; only its words tell it from others.
    public var skipped: SkippedOutput? {
        let words = message.split(separator: " ", maxSplits: 7)
        guard stream == "system", words.count == 8, let bytes = Int(words[0]), bytes > 0,
            words[1...3].elementsEqual(["bytes", "of", "standard"]), words[5...6].elementsEqual(["are", "missing"])
        else { return nil }
        switch words[4] {
        case "output": return SkippedOutput(stream: "stdout", bytes: bytes)
        case "error": return SkippedOutput(stream: "stderr", bytes: bytes)
        default: return nil
        }
    }
}
