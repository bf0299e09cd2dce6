extension Unicode.Scalar {
  /// Whether Python's `str.isspace` and the `\s` of its regular expressions hold for it.
  var isPythonSpace: Bool { properties.isWhitespace || (0x1C...0x1F).contains(value) }
}

extension Sequence<Unicode.Scalar> {
  /// The text of the scalars.
  var text: String {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: self)
    return String(text)
  }
}

extension StringProtocol {
  /// The text without white space around it, as Python's `strip` leaves it.
  var stripped: String {
    let start = unicodeScalars.drop(while: \.isPythonSpace)
    guard let end = start.lastIndex(where: { !$0.isPythonSpace }) else { return "" }
    return start[...end].text
  }
}
