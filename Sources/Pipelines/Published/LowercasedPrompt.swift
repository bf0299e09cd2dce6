extension String {
  /// In lower case, without white space around it, as Python's `lower` and `strip` make it: a capital sigma at
  /// the end of a word becomes ς.
  var lowercasedAsPublished: String {
    let scalars = Array(unicodeScalars)
    var lowered: [Unicode.Scalar] = []
    lowered.reserveCapacity(scalars.count)
    for (place, scalar) in scalars.enumerated() {
      if scalar == "Σ", scalars.endsWord(at: place) {
        lowered.append("ς")
      } else {
        lowered += scalar.properties.lowercaseMapping.unicodeScalars
      }
    }
    return lowered.stripped
  }

  /// Without white space around it, as Python's `strip` makes it: the separators of ASCII are white space.
  var strippedAsPublished: String { Array(unicodeScalars).stripped }
}

extension [Unicode.Scalar] {
  /// The text without white space around it.
  fileprivate var stripped: String {
    let isSpace = { (scalar: Unicode.Scalar) in
      scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
    }
    guard let first = firstIndex(where: { !isSpace($0) }),
      let last = lastIndex(where: { !isSpace($0) })
    else { return "" }
    var text = String.UnicodeScalarView()
    text.append(contentsOf: self[first...last])
    return String(text)
  }

  /// Whether a letter with case stands before a place, and none behind it, in the same word.
  fileprivate func endsWord(at place: Int) -> Bool {
    func isLetter(_ scalar: Unicode.Scalar?) -> Bool { scalar?.properties.isCased ?? false }
    let before = self[..<place].last { !$0.properties.isCaseIgnorable }
    let behind = self[(place + 1)...].first { !$0.properties.isCaseIgnorable }
    return isLetter(before) && !isLetter(behind)
  }
}
