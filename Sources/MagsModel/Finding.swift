/// One thing that `doctor` looked at.
public struct Finding: Sendable, Codable, Equatable {
    public enum Grade: String, Sendable, Codable { case good, weaker, bad }
    public var grade: Grade
    /// Stable word, for example `accelerator`.
    public var subject: String
    /// What was seen.
    public var text: String
    /// How to mend it, when there is something to mend.
    public var remedy: String?
    public init(_ grade: Grade, _ subject: String, _ text: String, remedy: String? = nil) {
        self.grade = grade
        self.subject = subject
        self.text = text
        self.remedy = remedy
    }
}
