public struct ExecutableCache: Sendable {
  func compile(_ t: String, _ s: Signature, on c: Client) throws -> (executable: Executable, seconds: Double, wasCached: Bool) { (try c.compile(t, s), 0, false) }
}
extension PJRTError { static func missingArgument(name: String) -> PJRTError { .missing(what: name, operation: "calling") } }
