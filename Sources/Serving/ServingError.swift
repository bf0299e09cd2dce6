/// What can be wrong with how a server is started.
public enum ServingError: Error, Equatable, CustomStringConvertible {
  /// An API key is too short or too long to be one.
  case keyLength(source: String, found: Int, expected: ClosedRange<Int>)
  /// An API key has characters that a header cannot hold.
  case keyNotPrintable(source: String)

  /// Anyone could ask a server that has no key.
  case openWithoutKey(host: String)

  /// What was found, what was expected and what to do; never the key.
  public var description: String {
    switch self {
    case .openWithoutKey(let host):
      "The server would listen at \(host), beyond this machine, without a key. Name a file with one "
        + "(--api-key) or set \(APIKey.variable), or listen at 127.0.0.1."
    case .keyLength(let source, let found, let expected):
      "The API key from \(source) has \(found) bytes; \(expected.lowerBound) to "
        + "\(expected.upperBound) are expected. Make one with: openssl rand -hex 32"
    case .keyNotPrintable(let source):
      "The API key from \(source) has characters other than printable ASCII without blanks. "
        + "Make one with: openssl rand -hex 32"
    }
  }
}
