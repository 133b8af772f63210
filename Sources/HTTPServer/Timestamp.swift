/// Times as the API writes them: RFC 3339 in UTC with milliseconds.
enum Timestamp {
    /// - Parameter microseconds: since 1970, not before.
    static func text(_ microseconds: Int64) -> String {
        let milliseconds = max(0, microseconds) / 1000
        let seconds = milliseconds / 1000
        let (year, month, day) = date(daysSince1970: seconds / 86400)
        let ofDay = seconds % 86400
        return pad(year, 4) + "-" + pad(month, 2) + "-" + pad(day, 2) + "T" + pad(ofDay / 3600, 2) + ":"
            + pad(ofDay / 60 % 60, 2) + ":" + pad(ofDay % 60, 2) + "." + pad(milliseconds % 1000, 3) + "Z"
    }

    /// Counts in eras of 400 years that begin on the first of March, so that a leap day is the last of its year.
    private static func date(daysSince1970: Int64) -> (Int64, Int64, Int64) {
        let days = daysSince1970 + 719_468
        let era = days / 146_097
        let ofEra = days % 146_097
        let year = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * year + year / 4 - year / 100)
        let shifted = (5 * ofYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (year + era * 400 + (month <= 2 ? 1 : 0), month, ofYear - (153 * shifted + 2) / 5 + 1)
    }

    private static func pad(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
