import Testing

@Suite("The house")
struct HouseTests {
    let manifest = Manifest(text: Tree.file("Package.swift").lines.joined(separator: "\n"))

    @Test("has every room on a floor, and no floor names a room that is not there")
    func everyRoomIsPlaced() {
        #expect(manifest.names == Set(Rooms.floors.joined()))
    }

    @Test("has no arrow upwards or sideways in its manifest")
    func manifestPointsDown() {
        let objections = manifest.rooms.flatMap { target in
            target.dependencies.compactMap { Rooms.objection(to: target.name, knowing: $0) }
        }
        #expect(objections == [])
    }

    @Test("has no arrow upwards or sideways in its imports")
    func importsPointDown() {
        let objections = Tree.swift.filter { !$0.path.hasPrefix("Tests/") }.flatMap { file in
            imports(of: file).compactMap { module in
                Rooms.objection(to: room(of: file), knowing: module).map { "\(file): \($0)" }
            }
        }
        #expect(objections == [])
    }

    @Test("imports only what the manifest names for its room, beside what comes with the compiler")
    func importsAreDeclared() {
        let files = Tree.swift.filter { $0.path.hasPrefix("Sources/") || $0.path.hasPrefix("Tests/") }
        #expect(files.count > 100)
        let undeclared = files.flatMap { file in
            self.undeclared(imports(of: file), in: room(of: file), of: manifest).map { "\(file): \($0)" }
        }
        #expect(undeclared == [])
    }

    @Test("sees an import that its room's part of the manifest does not name")
    func undeclaredIsSeen() {
        let manifest = Manifest(
            text: """
                let nio = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
                let posix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
                room("A", [nio]), room("B", ["A"]), room("C", [nio, posix])
                """)
        #expect(undeclared(["NIOCore", "Foundation"], in: "A", of: manifest) == [])
        #expect(undeclared(["NIOPosix", "B", "Foundation"], in: "A", of: manifest) == ["NIOPosix", "B"])
        #expect(undeclared(["A", "NIOCore"], in: "B", of: manifest) == ["NIOCore"])
    }

    @Test(
        "objects to each kind of forbidden arrow",
        arguments: [
            ("Store", "ControlPlane"), ("QMP", "NodeWire"), ("Machines", "ControlPlane"),
            ("ControlPlane", "StoreSQLite"),
            ("Machines", "GRDB"), ("Edge", "Hummingbird"), ("MagsCommands", "ControlPlane"), ("MagsClient", "Store"),
            ("MagsModel", "Foundation"), ("mags", "magsd"), ("GuestWire", "MagsModel"),
        ])
    func forbiddenArrows(room: String, other: String) {
        #expect(Rooms.objection(to: room, knowing: other) != nil)
    }

    @Test("lets the arrows pass that it is built on", arguments: [("magsd", "StoreSQLite"), ("ControlPlane", "Store")])
    func allowedArrows(room: String, other: String) {
        #expect(Rooms.objection(to: room, knowing: other) == nil)
    }

    @Test("reads a manifest's calls")
    func manifestIsRead() {
        let text = """
            .target(name: "CHost"), room("A", ["B", nio]), program(
                "c",
                [
                    "A", "B",
                ]), tests("ATests", [])
            """
        #expect(
            Manifest(text: text).targets == [
                .init(kind: ".target", name: "CHost", dependencies: []),
                .init(kind: "room", name: "A", dependencies: ["B"]),
                .init(kind: "program", name: "c", dependencies: ["A", "B"]),
                .init(kind: "tests", name: "ATests", dependencies: []),
            ])
    }

    private func undeclared(_ modules: [String], in room: String, of manifest: Manifest) -> [String] {
        let target = manifest.targets.first { $0.name == room }
        let declared = Rooms.ofTheCompiler.union(target?.dependencies ?? []).union(target?.products ?? [])
        return modules.filter { !declared.contains($0) }
    }

    private func room(of file: Tree.File) -> String {
        let parts = file.path.split(separator: "/")
        let base = parts.first == "Guest" ? 2 : 1
        return String(parts[base])
    }

    /// What it imports on Linux: the branch after `#else` is for systems without FoundationEssentials. Scripts in texts of
    /// several lines have imports of their own.
    private func imports(of file: Tree.File) -> [String] {
        let statement = /^\s*(?:@\w+\s+)*(?:public |package |internal |private )?import (?:\w+ )?(\w+)/
        var isInText = false
        return file.lines.indices.compactMap { index in
            if file.lines[index].contains("\"\"\"") { isInText.toggle() }
            guard !isInText, file.lines[index].contains("import "), index == 0 || file.lines[index - 1] != "#else"
            else {
                return nil
            }
            return file.lines[index].firstMatch(of: statement).map { String($0.output.1) }
        }
    }
}
