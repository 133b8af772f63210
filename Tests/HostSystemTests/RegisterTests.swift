import Glibc
import Testing

@testable import HostSystem

@Suite("The register of servers")
struct RegisterTests {
    @Test("gives two homes different numbers, and a home its own again")
    func homes() async throws {
        try await withFolder { folder in
            let homes = ["\(folder)/a", "\(folder)/b"]
            for home in homes { mkdir(home, 0o700) }
            let first = try InstanceRegister.acquire(home: homes[0], in: "\(folder)/register")
            let second = try InstanceRegister.acquire(home: homes[1], in: "\(folder)/register")
            #expect(first.name != second.name && first.index != second.index)
            #expect(!first.network.overlaps(second.network))
            symlink(homes[0], "\(folder)/link")
            #expect(try InstanceRegister.acquire(home: "\(folder)/link", in: "\(folder)/register") == first)
            if isRoot {
                let users = [first, second].map {
                    Set([$0.apiUID, $0.resolverUID, $0.machineUID(Instance.slotCount - 1)])
                }
                #expect(users[0].isDisjoint(with: users[1]))
                #expect(!users[0].contains(nil))
            }
        }
    }

    @Test("gives the numbers of a home that is gone or was released to the next")
    func reuse() async throws {
        try await withFolder { folder in
            let register = "\(folder)/register"
            for home in ["a", "b", "c"] { mkdir("\(folder)/\(home)", 0o700) }
            let first = try InstanceRegister.acquire(home: "\(folder)/a", in: register)
            InstanceRegister.release(home: "\(folder)/a", in: register)
            let second = try InstanceRegister.acquire(home: "\(folder)/b", in: register)
            #expect(second.index == first.index)
            rmdir("\(folder)/b")
            #expect(try InstanceRegister.acquire(home: "\(folder)/c", in: register).index == first.index)
        }
    }

    @Test("refuses a home that is not there, and a file that it cannot read")
    func refusals() async throws {
        try await withFolder { folder in
            #expect(throws: HostError.self) { try InstanceRegister.acquire(home: "\(folder)/no", in: folder) }
            let file = try FileDescriptor.open("\(folder)/register.json", O_WRONLY | O_CREAT)
            try SystemFile.write("{", to: file, named: "register")
            #expect(throws: HostError.self) { try InstanceRegister.acquire(home: folder, in: folder) }
        }
    }

    @Test("chooses a subnet that no route of the host covers, whoever's it is")
    func subnets() throws {
        let routes = try ["10.213.0.0/21", "10.213.12.0/24"].map {
            Route(device: "eth0", network: try #require(Network($0)))
        }
        var book = RegisterBook()
        #expect(try book.entry(of: "/a", isRoot: true, routes: routes).subnetText == "10.213.8.0/22")
        #expect(try book.entry(of: "/b", isRoot: true, routes: routes).subnetText == "10.213.16.0/22")
        var other = RegisterBook()
        let everything = [Route(device: "eth0", network: try #require(Network("10.0.0.0/8")))]
        #expect(try other.entry(of: "/a", isRoot: true, routes: everything).subnetText == "172.29.0.0/22")
        // What a dead owner of our number left is no obstacle.
        var third = RegisterBook()
        let own = [Route(device: "mags-1", network: try #require(Network("10.213.0.0/22")))]
        #expect(try third.entry(of: "/a", isRoot: true, routes: own).subnetText == "10.213.0.0/22")
    }

    @Test("reads the kernel's table of routes")
    func routes() {
        let table = """
            Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
            eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
            eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
            """
        #expect(Route.parse(table) == [Route(device: "eth0", network: Network(0xc000_0200, 24))])
    }

    @Test(
        "takes only whole addresses",
        arguments: ["1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4/33", "1.2.3.x", "", "+1.2.3.4", "1.2.3.4/"])
    func addresses(text: String) { #expect(Network(text) == nil) }

    @Test("lies in the user's runtime folder only where that is there and the user's own")
    func userFolder() async throws {
        let other = "/tmp/mags-\(geteuid())"
        #expect(InstanceRegister.userFolder(runtime: nil) == other)
        #expect(InstanceRegister.userFolder(runtime: "/nowhere") == other)
        #expect(InstanceRegister.userFolder(runtime: isRoot ? "/proc/self/nothing" : "/root") == other)
        try await withFolder { folder in
            #expect(InstanceRegister.userFolder(runtime: folder) == "\(folder)/mags")
        }
    }
}
