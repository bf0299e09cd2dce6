/// A reader of regular expressions in the syntax that Hugging Face's tokenizers use: Oniguruma's,
/// without back references, word boundaries, set intersections and POSIX brackets.
struct PatternParser {
  /// What is wrong with a pattern.
  struct Failure: Error {
    let reason: String
  }

  private let text: [Unicode.Scalar]
  private var position = 0
  private var ignoresCase = false
  private var depth = 0

  /// Reads a pattern.
  static func parse(_ pattern: String) throws(Failure) -> PatternNode {
    var parser = PatternParser(text: Array(pattern.unicodeScalars))
    let node = try parser.choice()
    guard parser.position == parser.text.count else { throw parser.fail("an unmatched )") }
    return node
  }

  private init(text: [Unicode.Scalar]) { self.text = text }

  private func fail(_ what: String) -> Failure {
    Failure(reason: "has \(what) at character \(position)")
  }

  private var next: Unicode.Scalar? { position < text.count ? text[position] : nil }

  private mutating func take(_ expected: String) -> Bool {
    guard text[position...].starts(with: expected.unicodeScalars) else { return false }
    position += expected.unicodeScalars.count
    return true
  }

  private mutating func choice() throws(Failure) -> PatternNode {
    depth += 1
    defer { depth -= 1 }
    guard depth < 100 else { throw fail("groups more than 100 deep") }
    // An option within a group ends with it.
    let outer = ignoresCase
    defer { ignoresCase = outer }
    var branches = [try sequence()]
    while take("|") { branches.append(try sequence()) }
    return branches.count == 1 ? branches[0] : .choice(branches)
  }

  private mutating func sequence() throws(Failure) -> PatternNode {
    var nodes: [PatternNode] = []
    while let next, next != "|", next != ")" {
      if let node = try atom() { nodes.append(try repeated(node)) }
    }
    return nodes.count == 1 ? nodes[0] : .sequence(nodes)
  }

  private mutating func atom() throws(Failure) -> PatternNode? {
    let scalar = text[position]
    switch scalar {
    case "(": return try group()
    case "[":
      position += 1
      return .set(try brackets())
    case ".":
      position += 1
      return .set(ScalarSet([.range(0x0A...0x0A)], negated: true))
    case "^":
      position += 1
      return .assertion(.lineStart)
    case "$":
      position += 1
      return .assertion(.lineEnd)
    case "*", "+", "?": throw fail("nothing to repeat")
    case "\\":
      if take("\\A") { return .assertion(.textStart) }
      if take("\\z") { return .assertion(.textEnd) }
      return .set(ScalarSet([try escape(alone: true)], ignoringCase: ignoresCase))
    default:
      position += 1
      return .set(ScalarSet([.range(scalar.value...scalar.value)], ignoringCase: ignoresCase))
    }
  }

  /// A group; nil for a mere option such as `(?i)`.
  private mutating func group() throws(Failure) -> PatternNode? {
    position += 1
    var wrap: (PatternNode) -> PatternNode = { $0 }
    var inner = ignoresCase
    if take("?=") {
      wrap = { .look($0, ahead: true, negative: false) }
    } else if take("?!") {
      wrap = { .look($0, ahead: true, negative: true) }
    } else if take("?<=") {
      wrap = { .look($0, ahead: false, negative: false) }
    } else if take("?<!") {
      wrap = { .look($0, ahead: false, negative: true) }
    } else if take("?>") {
      wrap = { .atomic($0) }
    } else if take("?i:") {
      inner = true
    } else if take("?-i:") {
      inner = false
    } else if take("?i)") {
      ignoresCase = true
      return nil
    } else if !take("?:"), next == "?" {
      throw fail("a kind of group that is not supported")
    }
    let outer = ignoresCase
    ignoresCase = inner
    let node = try choice()
    ignoresCase = outer
    guard take(")") else { throw fail("no )") }
    let group = wrap(node)
    if case .look(let inside, ahead: false, _) = group, inside.lengths.upperBound > 255 {
      throw fail("a look behind of any length")
    }
    return group
  }

  private mutating func repeated(_ node: PatternNode) throws(Failure) -> PatternNode {
    var node = node
    while let next {
      var count: ClosedRange<Int>
      var isSymbol = true
      switch next {
      case "*": count = 0...Int.max
      case "+": count = 1...Int.max
      case "?": count = 0...1
      case "{":
        guard let read = try bounds() else { return node }
        count = read
        isSymbol = false
      default: return node
      }
      if isSymbol { position += 1 }
      // A "+" behind bounds repeats once more.
      let greed: PatternNode.Greed =
        take("?") ? .lazy : isSymbol && take("+") ? .possessive : .greedy
      if !isSymbol, greed == .lazy, count.count == 1 { throw fail("{n}?") }
      guard count.upperBound == 1 || node.lengths.lowerBound > 0 else {
        throw fail("a repetition of something that can be empty")
      }
      node = .repetition(node, count, greed)
    }
    return node
  }

  /// `{2}`, `{2,}`, `{,3}` or `{2,3}`; nil where a brace stands for itself.
  private mutating func bounds() throws(Failure) -> ClosedRange<Int>? {
    guard let end = text[position...].firstIndex(of: "}") else { return nil }
    let inside = String(String.UnicodeScalarView(text[position + 1..<end]))
    let parts = inside.split(separator: ",", omittingEmptySubsequences: false)
    guard 1...2 ~= parts.count, inside != "", inside != ",",
      parts.allSatisfy({ $0.allSatisfy { $0.isASCII && $0.isNumber } })
    else { return nil }
    let low = parts[0].isEmpty ? 0 : Int(parts[0])
    let high = parts.count == 1 ? low : parts[1].isEmpty ? Int.max : Int(parts[1])
    guard let low, let high, low <= high, low <= 1000, high <= 1000 || high == .max else {
      throw fail("bounds that are not supported")
    }
    position = end + 1
    return low...high
  }

  /// A set behind its opening bracket.
  private mutating func brackets() throws(Failure) -> ScalarSet {
    depth += 1
    defer { depth -= 1 }
    guard depth < 100 else { throw fail("sets more than 100 deep") }
    let isNegated = take("^")
    var members: [ScalarSet.Member] = []
    while let scalar = next {
      if scalar == "]", !members.isEmpty {
        position += 1
        return ScalarSet(members, negated: isNegated, ignoringCase: ignoresCase)
      }
      if take("[:") { throw fail("a POSIX bracket") }
      if take("&&") { throw fail("an intersection of sets") }
      if take("[") {
        members.append(.set(try brackets()))
        continue
      }
      let low = try member()
      // A hyphen at the end stands for itself.
      guard case .range(let first) = low, next == "-", position + 1 < text.count,
        text[position + 1] != "]"
      else {
        members.append(low)
        continue
      }
      position += 1
      guard next != "[", case .range(let last) = try member(), first.lowerBound <= last.lowerBound
      else { throw fail("a range that does not end in a character behind its first") }
      members.append(.range(first.lowerBound...last.lowerBound))
    }
    throw fail("no ]")
  }

  private mutating func member() throws(Failure) -> ScalarSet.Member {
    if next == "\\" { return try escape(alone: false) }
    defer { position += 1 }
    return .range(text[position].value...text[position].value)
  }

  private mutating func escape(alone: Bool) throws(Failure) -> ScalarSet.Member {
    position += 1
    guard let scalar = next else { throw fail("a \\ at its end") }
    position += 1
    func one(_ value: UInt32) -> ScalarSet.Member { .range(value...value) }
    func not(_ member: ScalarSet.Member) -> ScalarSet.Member {
      .set(ScalarSet([member], negated: true))
    }
    let digits = ScalarSet.Member.categories(ScalarSet.categories(named: "Nd")!)
    switch scalar {
    case "s": return .whitespace
    case "S": return not(.whitespace)
    case "w": return .word(alone: alone)
    case "W": return not(.word(alone: alone))
    case "d": return digits
    case "D": return not(digits)
    case "n": return one(0x0A)
    case "r": return one(0x0D)
    case "t": return one(0x09)
    case "f": return one(0x0C)
    case "v": return one(0x0B)
    case "p", "P": return try property(negated: scalar == "P")
    case "u": return one(try hexadecimal(4))
    case "x":
      guard take("{") else { return one(try hexadecimal(2)) }
      guard let end = text[position...].firstIndex(of: "}") else { throw fail("no }") }
      defer { position = end + 1 }
      return one(try hexadecimal(end - position))
    default:
      let isAlphanumeric =
        scalar.isASCII && (scalar.properties.isAlphabetic || scalar.isNumeric)
      if isAlphanumeric { throw fail("the escape \\\(scalar), which is not supported,") }
      return one(scalar.value)
    }
  }

  private mutating func property(negated: Bool) throws(Failure) -> ScalarSet.Member {
    guard take("{"), let end = text[position...].firstIndex(of: "}") else { throw fail("no {") }
    let isNegated = take("^") != negated
    let name = String(String.UnicodeScalarView(text[position..<end]))
    guard let mask = ScalarSet.categories(named: name) else {
      throw fail("the property \(name), which is not supported,")
    }
    position = end + 1
    return isNegated
      ? .set(ScalarSet([.categories(mask)], negated: true)) : .categories(mask)
  }

  private mutating func hexadecimal(_ count: Int) throws(Failure) -> UInt32 {
    guard 1...8 ~= count, position + count <= text.count,
      let value = UInt32(
        String(String.UnicodeScalarView(text[position..<position + count])), radix: 16),
      Unicode.Scalar(value) != nil
    else { throw fail("no character of that number") }
    position += count
    return value
  }
}
