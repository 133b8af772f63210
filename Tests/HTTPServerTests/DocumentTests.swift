import ControlPlane
import Foundation
import MagsModel
import NodeWire
import Store
import Testing

@testable import HTTPServer

@Suite("The API's document")
struct DocumentTests {
    private static let document = Result { try JSON(PackageResources.openapi_json) }

    @Test("describes every route of the server and no other")
    func routes() throws {
        let paths = try DocumentTests.document.get()["paths"]?.fields ?? [:]
        let described = Set(paths.flatMap { path, methods in methods.fields.keys.map { "\($0.uppercased()) \(path)" } })
        let served = Set(Route.table.map { "\($0.verb) /\($0.path.joined(separator: "/"))" })
        #expect(described == served)
    }

    @Test("holds for what the server really answers")
    func answers() async throws {
        let document = try DocumentTests.document.get()
        let check = SchemaCheck(schemas: try #require(document["components", "schemas"]))
        try await ServerFixture.with(node: ExecRouteTests.node()) { server in
            let full = try await server.submit(#"{"script":"echo","workspace_id":"shop","name":"n"}"#)
            let failed = try await server.submit()
            server.it.node.run(full)
            server.it.node.write(full, "line\n")
            server.it.node.end(failed, JobOutcome(cause: .failed, code: "no_room", message: "No room."))
            _ = try await server.it.control.jobs.ended(failed)
            let exec = try await server.it.control.execs.start(
                ExecOrder(owner: .administrator, job: full.text, command: "wait"))
            for route in Route.table {
                for id in [full.text, failed.text, "missing"] {
                    if route.operation == .stopJob, id == full.text { continue }
                    let (headers, body) = DocumentTests.body(of: route.operation, isRight: id != "missing")
                    let pattern = "/" + route.path.joined(separator: "/")
                    let path = pattern.replacingOccurrences(of: "{id}", with: id)
                        .replacingOccurrences(of: "{exec}", with: exec.id.text)
                    let reply = try await server.call(route.verb, path, headers: headers, body: body)
                    let responses = document["paths", pattern, route.verb.lowercased(), "responses"]
                    let response = try #require(
                        responses?["\(reply.status)"], "\(path) answered \(reply.status): \(reply.text)")
                    let type = try #require(reply.headers["content-type"])
                    let media = try #require(response["content", type], "\(path) answered with \(type)")
                    guard type == "application/json", let schema = media["schema"] else { continue }
                    #expect(check.faults(try JSON(reply.body), schema, at: path) == [])
                }
            }
        }
    }

    private static func body(of operation: HTTPServer.Operation, isRight: Bool) -> (headers: [String], body: String?) {
        switch operation {
        case .submitJob: return ([], isRight ? #"{"script":"echo"}"# : "{}")
        case .exec, .startExec: return ([], isRight ? #"{"command":"ls"}"# : "{}")
        case .uploadFile:
            let form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nx\r\n--b--\r\n"
            return (["Content-Type: multipart/form-data; boundary=b"], isRight ? form : "x")
        default: return ([], nil)
        }
    }

    @Test("is checked by something that sees faults")
    func sees() throws {
        let check = SchemaCheck(schemas: try JSON(Array(#"{"T":{"type":"string","enum":["a"]}}"#.utf8)))
        let schema = try JSON(
            Array(
                #"""
                {"type":"object","additionalProperties":false,"required":["t"],
                 "properties":{"t":{"$ref":"#/components/schemas/T"},"n":{"type":"integer"}}}
                """#.utf8))
        func faults(_ text: String) throws -> [String] { check.faults(try JSON(Array(text.utf8)), schema, at: "") }
        #expect(try faults(#"{"t":"a","n":1}"#) == [])
        for wrong in [#"{"t":"b"}"#, #"{"n":1}"#, #"{"t":"a","n":"1"}"#, #"{"t":"a","x":1}"#, #"{"t":"a","n":true}"#] {
            #expect(try faults(wrong).count == 1)
        }
    }
}
