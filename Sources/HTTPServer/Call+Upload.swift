import ControlPlane
import Hummingbird
import MagsAPI
import MagsModel
import NIOCore
import Store

extension Call {
    /// One part named `file` of a multipart form, to disk as it comes.
    func upload() async throws -> Response {
        guard let boundary = MultipartParser.boundary(of: request.headers[.contentType] ?? "") else {
            throw Problem(
                400, "invalid_form", "The body must be multipart/form-data with a boundary, and a part named 'file'.")
        }
        var parser = MultipartParser(boundary: boundary)
        var received: Upload?
        do {
            var isInside = false
            for try await bytes in request.body {
                try await received?.checkPace()
                for event in try parser.feed(bytes) {
                    switch event {
                    case .part(let headers):
                        isInside = headers.name == "file"
                        guard isInside else { continue }
                        guard received == nil else { throw Problem.invalid("file", "is there twice.") }
                        received = try controlPlane.files.begin(
                            name: headers.fileName ?? "", owner: token.owner, holder: token.id)
                    case .bytes(let piece): if isInside { try await received?.write(piece) }
                    case .end: break
                    }
                }
            }
            guard parser.isWhole else {
                throw Problem(400, "invalid_form", "The form is cut off: its last boundary is missing.")
            }
            guard let received else { throw Problem(400, "missing_field", "The form has no part named 'file'.") }
            let record = try await controlPlane.files.finish(received)
            return try .json(UploadReply(fileID: record.id, name: record.name, size: Int(record.size)))
        } catch {
            await received?.abandon()
            throw error
        }
    }
}
