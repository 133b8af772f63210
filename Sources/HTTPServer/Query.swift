import ControlPlane
import Foundation
import Hummingbird
import MagsModel

/// The part of an address behind the question mark, as typed values.
struct Query {
    private var values: [String: String] = [:]

    /// A plus is a space, as forms and most clients write it; of several values the last one counts.
    init(_ request: Request) {
        for pair in (request.uri.query ?? "").split(separator: "&") {
            let halves = pair.replacing("+", with: " ").split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let decoded = halves.map { $0.removingPercentEncoding ?? String($0) }
            values[decoded[0]] = decoded.count > 1 ? decoded[1] : ""
        }
    }

    func text(_ name: String) -> String? { values[name] }

    func flag(_ name: String) throws(Problem) -> Bool {
        switch values[name] {
        case nil, "0", "false": return false
        case "1", "true", "": return true
        default: throw Problem(400, "invalid_query", "\(name) must be 1 or 0.")
        }
    }

    func number(_ name: String, in range: ClosedRange<Int>, default standard: Int) throws(Problem) -> Int {
        guard let text = values[name] else { return standard }
        guard let number = Int(text), range.contains(number) else {
            let bounds =
                range.upperBound == .max ? "\(range.lowerBound) or more" : "\(range.lowerBound) to \(range.upperBound)"
            throw Problem(400, "invalid_query", "\(name) must be a whole number, \(bounds).")
        }
        return number
    }
}
