import GuestWire
import NIOCore
import Synchronization
import Testing

@testable import Machines

@Suite("The link to a guest")
struct GuestLinkTests {
    private let hello = Frame(.hello, payload: [1, 0, 0, 0])

    @Test("finds the answer behind what an earlier connection left, and gives the frames in order")
    func meets() async throws {
        // A mark that is none, and half a frame.
        let stale: [UInt8] = [0xF7, 0x4D, 0x41, 0x47, 0x53, 0xF7] + [UInt8](repeating: 0xF7, count: 5000)
        let frames = (0..<50).map { Frame(.stdout, stream: 1, payload: [UInt8($0)]) }
        try await WireGuest.with(answering([hello] + frames, before: stale)) { link, _ in
            try await link.waitUntilResumed(within: .seconds(60))
            #expect(try await link.ask([], within: .seconds(60)) == hello)
            let events = try await collect(link, count: 50)
            #expect(events.map(\.frame) == frames)
            #expect(events.last?.position == UInt64((50 * 9) + hello.wireSize))
            #expect(link.received == events.last?.position)
        }
    }

    @Test("shows its key and goes on from where the host had come")
    func resumes() async throws {
        let key = [UInt8](repeating: 7, count: 16)
        let frame = Frame(.stdout, stream: 3, payload: [1, 2])
        try await WireGuest.with(key: key, received: 4711, answering([frame], key: key)) { link, _ in
            try await link.waitUntilResumed(within: .seconds(60))
            let events = try await collect(link, count: 1)
            #expect(events[0].position == 4711 + 10)
        }
    }

    @Test("acknowledges what was taken, and nothing before")
    func acknowledges() async throws {
        let (acks, tell) = AsyncStream.makeStream(of: UInt64.self)
        try await WireGuest.with(
            answering([hello, hello]) { frame in
                if let position = acknowledged(frame) { tell.yield(position) }
                return []
            },
            { link, _ in
                try await link.waitUntilResumed(within: .seconds(60))
                _ = try await collect(link, count: 2)
                var last: UInt64 = 0
                for await position in acks {
                    #expect(position > last)
                    last = position
                    if last == UInt64(2 * hello.wireSize) { break }
                }
                #expect(last == UInt64(2 * hello.wireSize))
            })
    }

    @Test("tells its taker when it has caught up, once for many frames, and acknowledges no more than that")
    func catchesUp() async throws {
        let frames = (0..<100).map { Frame(.stdout, stream: 1, payload: [UInt8($0)]) }
        let size = UInt64(frames.wire.count)
        let told = Mutex<(frames: UInt64, kept: UInt64, times: Int)>((0, 0, 0))
        let (acks, tell) = AsyncStream.makeStream(of: UInt64.self)
        try await WireGuest.with(
            answering(frames) { frame in
                if let position = acknowledged(frame) {
                    #expect(position <= told.withLock { $0.kept })
                    tell.yield(position)
                }
                return []
            },
            { link, _ in
                try await link.waitUntilResumed(within: .seconds(60))
                link.attach { event in
                    told.withLock { told in
                        switch event {
                        case .frame(_, let position): told.frames = position
                        case .caughtUp: (told.kept, told.times) = (told.frames, told.times + 1)
                        case .lost: break
                        }
                    }
                }
                for await position in acks where position == size { break }
                // They came in one piece, so nearly all of them are told at once.
                #expect(told.withLock { $0.times } < 50)
            })
    }

    @Test("acknowledges nothing before somebody keeps it")
    func waitsForATaker() async throws {
        let hasAcknowledged = Atomic(false)
        try await WireGuest.with(
            answering([hello]) { frame in
                if frame.kind == .ack { hasAcknowledged.store(true, ordering: .relaxed) }
                return frame.kind == .ping ? [Frame(.pong)].wire : []
            },
            { link, _ in
                try await link.waitUntilResumed(within: .seconds(60))
                #expect(try await link.ask([], within: .seconds(60)) == hello)
                // What was sent before this had arrived when it was answered.
                #expect(try await link.ask([Frame(.ping)], within: .seconds(60)).kind == .pong)
                let wasAcknowledged = hasAcknowledged.load(ordering: .relaxed)
                #expect(!wasAcknowledged)
            })
    }

    @Test(
        "is lost, once, when the guest sends what the wire does not allow",
        arguments: [
            [0xFF, 0, 0, 0, 0, 0, 0, 0],  // a kind that is none
            [3, 0, 0, 0, 0, 0, 0, 0],  // a kind that goes the other way
            [67, 1, 0, 0, 0, 0, 0, 0],  // reserved, not zero
            [67, 0, 0, 0, 1, 128, 0, 0],  // one byte too many
            [67, 0, 0, 0, 255, 255, 255, 255],  // a lying length
        ] as [[UInt8]])
    func losesTheHostile(bytes: [UInt8]) async throws {
        let answer = answering([hello])
        try await WireGuest.with(
            { chunk in
                let first = answer(chunk)
                return first.isEmpty ? [] : first + bytes + [hello].wire
            },
            { link, _ in
                try await link.waitUntilResumed(within: .seconds(60))
                let events = await untilLost(link)
                #expect(events.count == 2)
                #expect(events.first == .frame(hello, position: UInt64(hello.wireSize)))
                guard case .lost(.nonsense) = events.last else {
                    Issue.record("lost by \(String(describing: events.last))")
                    return
                }
            })
    }

    @Test("does not take an answer from another position, since bytes would be lost")
    func refusesAnotherPosition() async throws {
        try await WireGuest.with(
            { chunk in
                chunk.withUnsafeBytes { Resume(startOf: $0, key: Resume.unclaimedKey)?.answer(position: 5) ?? [] }
            },
            { link, _ in
                await #expect(throws: GuestLoss.nonsense("it goes on from another position than asked")) {
                    try await link.waitUntilResumed(within: .seconds(60))
                }
            })
    }

    @Test("does not take another connection's answer, nor endless bytes without one")
    func refusesEndlessBytes() async throws {
        try await WireGuest.with(
            { _ in [] },
            { link, guest in
                let wrong = Resume(key: Resume.unclaimedKey, nonce: [UInt8](repeating: 9, count: 16), received: 0)
                guest.send(wrong.answer(position: 0))
                let chunk = [UInt8](repeating: 0xF7, count: 1 << 16)
                for _ in 0..<(ResumeScan.maximumStale / chunk.count + 2) { guest.send(chunk) }
                await #expect(throws: GuestLoss.nonsense("it sends without an end, but no answer")) {
                    try await link.waitUntilResumed(within: .seconds(30))
                }
            })
    }

    @Test("gives up a guest that says nothing")
    func givesUpTheSilent() async throws {
        try await WireGuest.with(
            { _ in [] },
            { link, _ in
                await #expect(throws: GuestLoss.silent) { try await link.waitUntilResumed(within: .milliseconds(1)) }
            })
    }

    @Test("is lost when the guest takes nothing any more, instead of keeping it all")
    func losesTheDeaf() async throws {
        let stopped = Atomic(false)
        let answer = answering([])
        try await WireGuest.with(
            { chunk in stopped.load(ordering: .relaxed) ? [] : answer(chunk) },
            { link, guest in
                try await link.waitUntilResumed(within: .seconds(60))
                try await guest.channel.setOption(ChannelOptions.autoRead, value: false).get()
                let piece = Frame(.stdin, stream: 1, payload: [UInt8](repeating: 0, count: Frame.maximumPayload))
                for _ in 0..<(GuestHandler.maximumUnsent / piece.wireSize + 200) { link.send([piece]) }
                #expect(await untilLost(link) == [.lost(.stalled)])
            })
    }

    @Test("stops reading while nobody takes the frames, and loses none")
    func pausesWithoutATaker() async throws {
        let count = 3 * GuestHandler.maximumHeld / Frame.maximumPayload
        let frames = (0..<count).map {
            Frame(.stdout, stream: 1, payload: [UInt8](repeating: UInt8($0 & 255), count: Frame.maximumPayload))
        }
        try await WireGuest.with(answering(frames)) { link, _ in
            try await link.waitUntilResumed(within: .seconds(60))
            let events = try await collect(link, count: count)
            #expect(events.map(\.frame) == frames)
        }
    }

    @Test("tells when the guest ends, and not when we let go")
    func tellsTheEnd() async throws {
        try await WireGuest.with(answering([])) { link, guest in
            try await link.waitUntilResumed(within: .seconds(60))
            guest.channel.close(promise: nil)
            #expect(await untilLost(link) == [.lost(.ended)])
        }
        try await WireGuest.with(answering([hello])) { link, _ in
            try await link.waitUntilResumed(within: .seconds(60))
            _ = try await link.ask([], within: .seconds(60))
            let told = Mutex<[GuestEvent]>([])
            link.attach { event in if !event.isCaughtUp { told.withLock { $0.append(event) } } }
            link.end(.discarded)
            try await link.closed.get()
            #expect(told.withLock { $0 } == [])
        }
    }

    private func collect(_ link: GuestLink, count: Int) async throws -> [(frame: Frame, position: UInt64)] {
        let (events, tell) = AsyncStream.makeStream(of: GuestEvent.self)
        link.attach { if !$0.isCaughtUp { tell.yield($0) } }
        var seen: [(frame: Frame, position: UInt64)] = []
        for await event in events {
            guard case .frame(let frame, let position) = event else { throw GuestLoss.ended }
            seen.append((frame, position))
            if seen.count == count { break }
        }
        // The count goes on behind the handler's return.
        try await link.eventLoop.submit {}.get()
        return seen
    }

    private func untilLost(_ link: GuestLink) async -> [GuestEvent] {
        let (events, tell) = AsyncStream.makeStream(of: GuestEvent.self)
        link.attach {
            if !$0.isCaughtUp { tell.yield($0) }
            if case .lost = $0 { tell.finish() }
        }
        return await events.reduce(into: []) { $0.append($1) }
    }
}

extension GuestEvent {
    fileprivate var isCaughtUp: Bool { if case .caughtUp = self { true } else { false } }
}
