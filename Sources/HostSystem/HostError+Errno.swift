internal import Glibc

extension HostError {
    /// A failed system call: `what` reads as a sentence's beginning, the errno's text follows.
    init(errno number: Int32, code: String = "host_refused", _ what: String, hint: String? = nil) {
        self.init(code, "\(what): \(Self.text(number)).", hint: hint)
    }

    static func text(_ number: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 128)
        guard strerror_r(number, &buffer, buffer.count) == 0 else { return "error \(number)" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
