/// What finds the places at which a text is split or replaced.
enum TextFinder: Sendable {
  case pattern(Pattern)
  case text([Unicode.Scalar])
  case character(@Sendable (Unicode.Scalar) -> Bool)

  /// The matches, in their order and without overlaps.
  func matches(in text: [Unicode.Scalar]) -> [Range<Int>] {
    switch self {
    case .pattern(let pattern): return pattern.matches(in: text)
    case .text(let wanted):
      var found: [Range<Int>] = []
      var start = 0
      while start + wanted.count <= text.count {
        if text[start..<start + wanted.count].elementsEqual(wanted) {
          found.append(start..<start + wanted.count)
          start += wanted.count
        } else {
          start += 1
        }
      }
      return found
    case .character(let isWanted):
      return text.indices.filter { isWanted(text[$0]) }.map { $0..<$0 + 1 }
    }
  }

  /// A text with other content in the places of the matches.
  func replace(in text: [Unicode.Scalar], with content: [Unicode.Scalar]) -> [Unicode.Scalar] {
    let found = matches(in: text)
    guard !found.isEmpty else { return text }
    var result: [Unicode.Scalar] = []
    var end = 0
    for match in found {
      result += text[end..<match.lowerBound] + content
      end = match.upperBound
    }
    return result + text[end...]
  }

  /// Reads a field such as `{"Regex": "\\s+"}` or `{"String": " "}`.
  init(_ field: JSONField) throws {
    if let pattern = try field.optional("Regex") {
      do {
        self = .pattern(try Pattern(pattern.string()))
      } catch let failure as PatternParser.Failure {
        throw pattern.wrong("(\(try pattern.string())) \(failure.reason)")
      }
    } else if let text = try field.optional("String") {
      let scalars = Array(try text.string().unicodeScalars)
      guard !scalars.isEmpty else { throw text.wrong("is empty") }
      self = .text(scalars)
    } else {
      throw field.wrong("has neither Regex nor String")
    }
  }
}
