import MagsCommands

@main struct Main {
    static func main() async { await MagsProgram.main() }
}
