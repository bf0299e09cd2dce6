/// How a text is split at matches.
enum SplitBehavior: String, CaseIterable, Sendable {
  case removed = "Removed"
  case isolated = "Isolated"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
  case contiguous = "Contiguous"

  /// Reads a field.
  init(_ field: JSONField) throws {
    let name = try field.string()
    guard let behavior = Self(rawValue: name) else {
      throw TokenizerError.unsupported(
        file: field.file, place: field.place, found: name,
        supported: Self.allCases.map(\.rawValue))
    }
    self = behavior
  }

  /// The parts of a text, without empty ones.
  ///
  /// - Parameters:
  ///   - matches: matches in their order, without overlaps.
  ///   - isInverted: whether the matches are what is between delimiters.
  func split(_ count: Int, at matches: [Range<Int>], isInverted: Bool = false) -> [Range<Int>] {
    guard count > 0 else { return [] }
    var parts: [(range: Range<Int>, isMatch: Bool)] = []
    var end = 0
    for match in matches {
      if match.lowerBound > end { parts.append((end..<match.lowerBound, isInverted)) }
      parts.append((match, !isInverted))
      end = match.upperBound
    }
    if end < count { parts.append((end..<count, isInverted)) }
    return ranges(parts).filter { !$0.isEmpty }
  }

  private func ranges(_ parts: [(range: Range<Int>, isMatch: Bool)]) -> [Range<Int>] {
    var result: [Range<Int>] = []
    var followsMatch = false
    switch self {
    case .removed: return parts.filter { !$0.isMatch }.map(\.range)
    case .isolated: return parts.map(\.range)
    case .mergedWithPrevious, .contiguous:
      for part in parts {
        let joins =
          self == .contiguous ? part.isMatch == followsMatch : part.isMatch && !followsMatch
        if joins, let last = result.last {
          result[result.count - 1] = last.lowerBound..<part.range.upperBound
        } else {
          result.append(part.range)
        }
        followsMatch = part.isMatch
      }
      return result
    case .mergedWithNext:
      for part in parts.reversed() {
        if part.isMatch, !followsMatch, let last = result.last {
          result[result.count - 1] = part.range.lowerBound..<last.upperBound
        } else {
          result.append(part.range)
        }
        followsMatch = part.isMatch
      }
      return result.reversed()
    }
  }
}
