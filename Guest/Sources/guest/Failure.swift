/// A step that did not succeed, with the errno that says why.
struct Failure: Error {
    let step: String
    let errno: Int32
}
