import AsyncHTTPClient
public import MagsAPI
import NIOCore
import NIOHTTP1

extension MagsClient {
    /// Puts a file on the server for jobs to come: its `fileID` goes into ``MagsAPI/SubmitRequest/fileIDs``.
    ///
    /// - Parameter path: a regular file of at most 1 GiB; it is sent as it is read, never held in memory.
    public func upload(file path: String) async throws -> UploadReply {
        try await repeating(whenUnsure: true) {
            let upload = try await MultipartFile.open(path)
            let response = try await transport.send(
                .POST, "/api/v1/mags-files", headers: ["Content-Type": upload.contentType],
                body: .stream(upload, length: .known(Int64(upload.length))), within: nil)
            return try decode(try await transport.collect(response, upTo: MagsClient.longestReply))
        }
    }
}
