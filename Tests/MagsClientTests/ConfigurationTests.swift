import Foundation
import MagsClient
import Testing

@Suite("The configuration")
struct ConfigurationTests {
    private func write(_ text: String, _ folder: String) throws -> String {
        let path = "\(folder)/config.json"
        try Data(text.utf8).write(to: URL(filePath: path))
        return path
    }

    @Test("comes from the file when no variable is set")
    func file() async throws {
        try await withTemporaryFolder { folder in
            let path = try write(#"{"api_url":"http://h:1/","api_token":"t"}"#, folder)
            let configuration = try Configuration.load(environment: ["MAGS_CONFIG": path, "MAGS_API_TOKEN": ""])
            #expect(configuration.address.description == "http://h:1")
            #expect(configuration.token == "t")
            #expect(configuration.tokenSource == .file(path))
        }
    }

    @Test("takes variables over the file, and the first token variable over the second")
    func variables() async throws {
        try await withTemporaryFolder { folder in
            let path = try write(#"{"api_url":"http://h:1","api_token":"t"}"#, folder)
            var environment = ["MAGS_CONFIG": path, "MAGS_API_URL": "https://other", "MAGS_TOKEN": "second"]
            #expect(try Configuration.load(environment: environment).token == "second")
            environment["MAGS_API_TOKEN"] = "first"
            let configuration = try Configuration.load(environment: environment)
            #expect(configuration.token == "first")
            #expect(configuration.tokenSource == .variable("MAGS_API_TOKEN"))
            #expect(configuration.address.description == "https://other")
        }
    }

    @Test("lies in the home folder unless MAGS_CONFIG names another file")
    func path() throws {
        #expect(try Configuration.load(environment: ["HOME": "/no/where"]).filePath == "/no/where/.mags/config.json")
        #expect(try Configuration.load(environment: ["HOME": "/a", "MAGS_CONFIG": "/no/b"]).filePath == "/no/b")
    }

    @Test("without any token says that nobody is logged in, and how to")
    func notLoggedIn() {
        let error = #expect(throws: MagsError.self) { try MagsClient(environment: ["HOME": "/no/where"]) }
        #expect(error?.code == "not_logged_in")
        #expect(error?.message.contains("not logged in") == true)
        #expect(error?.hint?.contains("script/up") == true)
    }

    @Test("that is no JSON object is an error that names the file")
    func malformed() async throws {
        try await withTemporaryFolder { folder in
            let path = try write("[1", folder)
            let error = #expect(throws: MagsError.self) {
                try Configuration.load(environment: ["MAGS_CONFIG": path])
            }
            #expect(error?.code == "bad_configuration")
            #expect(error?.message.contains(path) == true)
        }
    }

    @Test("is saved for its owner only, keeps keys that it does not know, and stays behind its link")
    func save() async throws {
        try await withTemporaryFolder { folder in
            let path = try write(#"{"api_token":"old","theme":{"dark":[true,1,2.5,null]}}"#, folder)
            try FileManager.default.createSymbolicLink(
                atPath: "\(folder)/link", withDestinationPath: path)
            var file = try ConfigurationFile.read("\(folder)/link")
            file.apiToken = "new"
            try file.write("\(folder)/link")
            #expect(DiskFile.mode(of: path) == 0o600)
            let saved = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? NSDictionary
            #expect(saved == ["api_token": "new", "theme": ["dark": [true, 1, 2.5, NSNull()] as [Any]]])
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["config.json", "link"])
        }
    }

    @Test("makes its folder for its owner only")
    func folder() async throws {
        try await withTemporaryFolder { folder in
            var file = ConfigurationFile()
            file.apiToken = "t"
            try file.write("\(folder)/.mags/config.json")
            #expect(DiskFile.mode(of: "\(folder)/.mags") == 0o700)
            #expect(try ConfigurationFile.read("\(folder)/.mags/config.json").apiToken == "t")
        }
    }

    @Test(
        "refuses what is no address of a server",
        arguments: [
            "", "h:1", "ftp://h", "http://", "http:///x", "unix:", "unix:rel", "http://a b", "http://h?x", "http://u@h",
        ])
    func badAddress(text: String) {
        let error = #expect(throws: MagsError.self) { try ServerAddress(text) }
        #expect(error?.code == "bad_address")
    }

    @Test("knows which addresses keep a token private")
    func privacy() throws {
        for text in ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:8080", "https://h", "unix:/a"] {
            #expect(try ServerAddress(text).isPrivate, "\(text)")
        }
        for text in ["http://h", "http://10.0.0.1", "http://localhost.example.org", "http://127.evil.org"] {
            #expect(try !ServerAddress(text).isPrivate, "\(text)")
        }
    }
}
