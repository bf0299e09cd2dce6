extension String {
  /// In lower case, without white space around it, as Python's `lower` and `strip` make it: a capital sigma at
  /// the end of a word becomes ς, and the separators of ASCII are white space.
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
    let isSpace = { (scalar: Unicode.Scalar) in
      scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
    }
    guard let first = lowered.firstIndex(where: { !isSpace($0) }),
      let last = lowered.lastIndex(where: { !isSpace($0) })
    else { return "" }
    var text = String.UnicodeScalarView()
    text.append(contentsOf: lowered[first...last])
    return String(text)
  }
}

extension [Unicode.Scalar] {
  /// Whether a letter with case stands before a place, and none behind it, in the same word.
  fileprivate func endsWord(at place: Int) -> Bool {
    func isLetter(_ scalar: Unicode.Scalar?) -> Bool { scalar?.properties.isCased ?? false }
    let before = self[..<place].last { !$0.properties.isCaseIgnorable }
    let behind = self[(place + 1)...].first { !$0.properties.isCaseIgnorable }
    return isLetter(before) && !isLetter(behind)
  }
}
