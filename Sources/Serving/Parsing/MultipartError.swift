/// What can be wrong with a form of several parts.
enum MultipartError: Error, Equatable, CustomStringConvertible {
  /// The body is of another type.
  case otherType(String?)
  /// The header names no boundary.
  case noBoundary
  /// The boundary is too long or has characters that it must not have.
  case illegalBoundary(String)
  /// The boundary is not in the body.
  case boundaryNotFound(String)
  /// The body ends within a part.
  case unterminated(part: Int)
  /// A line begins with the boundary, and something stands behind it.
  case malformedDelimiter(byte: Int)
  /// The headers of a part are too long.
  case headersTooLong(part: Int, limit: Int)
  /// A line of a part's headers is not a header.
  case malformedHeader(part: Int, line: String)
  /// A part has no `Content-Disposition` with a name.
  case noName(part: Int)
  /// A part's name is too long.
  case nameTooLong(part: Int, limit: Int)
  /// A part's content is encoded.
  case encoded(part: Int, encoding: String)
  /// There are too many parts.
  case tooManyParts(limit: Int)

  /// What was found, what was expected and what to do. Parts count from 1.
  var description: String {
    switch self {
    case .otherType(let type):
      "The body is \(type.map { $0.shown } ?? "of no named type"), and multipart/form-data was "
        + "expected. Set the header Content-Type."
    case .noBoundary:
      "The header Content-Type has no boundary. Send multipart/form-data; boundary=… as in the body."
    case .illegalBoundary(let boundary):
      "The boundary \(boundary.shown) is not valid: 1 to 70 letters, digits and some punctuation are "
        + "expected. Choose another one."
    case .boundaryNotFound(let boundary):
      "The body does not begin with the boundary \(boundary.shown) that the header Content-Type "
        + "names. Send the body that belongs to the header."
    case .unterminated(let part):
      "The body ends within part \(part), before the closing boundary. Send it whole."
    case .malformedDelimiter(let byte):
      "At byte \(byte) a line begins with the boundary, and the end of the line or -- was expected "
        + "behind it. Choose a boundary that is not in the content, and end lines with CR LF."
    case .headersTooLong(let part, let limit):
      "The headers of part \(part) have more than \(limit) bytes. Shorten them."
    case .malformedHeader(let part, let line):
      "Part \(part) has the header line \(line.shown), and \"name: value\" in UTF-8 without control "
        + "characters was expected. Correct it."
    case .noName(let part):
      "Part \(part) has no name; the header Content-Disposition: form-data; name=\"…\" is expected. "
        + "Add it."
    case .nameTooLong(let part, let limit):
      "The name of part \(part) has more than \(limit) bytes. Shorten it."
    case .encoded(let part, let encoding):
      "Part \(part) is encoded as \(encoding.shown), and content as it is was expected. "
        + "Leave out Content-Transfer-Encoding."
    case .tooManyParts(let limit):
      "The form has more than \(limit) parts. Send fewer."
    }
  }
}

extension String {
  /// The text in quotes, without control characters and cut off where it is long, for messages.
  var shown: String {
    let scalars = unicodeScalars.prefix(61)
    let text = String(String.UnicodeScalarView(scalars.prefix(60)))
    return text.debugDescription + (scalars.count > 60 ? "…" : "")
  }
}
