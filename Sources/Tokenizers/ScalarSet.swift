/// A set of characters in a pattern.
struct ScalarSet: Sendable {
  /// What can be a member.
  enum Member: Sendable {
    case range(ClosedRange<UInt32>)
    /// General categories, a bit each.
    case categories(UInt32)
    case whitespace
    /// Oniguruma's `\w`: letters, marks, decimal digits and connectors; alone, and not in brackets,
    /// also the other numbers of Latin-1.
    case word(alone: Bool)
    case set(ScalarSet)
  }

  private let members: [Member]
  private let isNegated: Bool
  /// Whether case is ignored.
  private let ignoresCase: Bool
  /// Membership of ASCII, a bit each.
  private var ascii: (UInt64, UInt64) = (0, 0)

  init(_ members: [Member], negated: Bool = false, ignoringCase: Bool = false) {
    (self.members, isNegated, ignoresCase) = (members, negated, ignoringCase)
    for value in UInt32(0)..<128 where decides(Unicode.Scalar(value)!) {
      if value < 64 { ascii.0 |= 1 << UInt64(value) } else { ascii.1 |= 1 << UInt64(value - 64) }
    }
  }

  /// Whether a character is in the set.
  @inline(__always)
  func contains(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<64: ascii.0 >> UInt64(scalar.value) & 1 == 1
    case 64..<128: ascii.1 >> UInt64(scalar.value - 64) & 1 == 1
    default: decides(scalar)
    }
  }

  private func decides(_ scalar: Unicode.Scalar) -> Bool {
    let isMember =
      hasMember(scalar)
      || ignoresCase && scalar.caseVariants.contains { $0 != scalar && hasMember($0) }
    return isMember != isNegated
  }

  private func hasMember(_ scalar: Unicode.Scalar) -> Bool {
    members.contains { member in
      switch member {
      case .range(let range): range.contains(scalar.value)
      case .categories(let mask): mask >> scalar.patternCategory.bit & 1 == 1
      case .whitespace: scalar.properties.isWhitespace
      case .word(let alone): scalar.isPatternWord(alone: alone)
      case .set(let set): set.contains(scalar)
      }
    }
  }

  /// The general categories of a property's name, such as `L` or `Nd`; nil where it is not known.
  static func categories(named name: String) -> UInt32? {
    let found = Unicode.GeneralCategory.names.enumerated().filter {
      $0.element == name || name.count == 1 && $0.element.hasPrefix(name)
    }
    return found.isEmpty ? nil : found.reduce(0) { $0 | 1 << UInt32($1.offset) }
  }
}

extension Unicode.Scalar {
  /// The characters that differ from this one at most in case, by simple mappings.
  fileprivate var caseVariants: [Unicode.Scalar] {
    func single(_ text: String) -> Unicode.Scalar? {
      let scalars = text.unicodeScalars
      return scalars.count == 1 ? scalars.first : nil
    }
    let upper = single(properties.uppercaseMapping) ?? self
    let lower = single(upper.properties.lowercaseMapping) ?? upper
    return [lower, upper, single(properties.lowercaseMapping) ?? self]
  }
}

extension Unicode.GeneralCategory {
  /// The two letters of every category, in the order of their bits.
  fileprivate static let names = [
    "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi",
    "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
  ]

  fileprivate var bit: UInt32 {
    switch self {
    case .uppercaseLetter: 0
    case .lowercaseLetter: 1
    case .titlecaseLetter: 2
    case .modifierLetter: 3
    case .otherLetter: 4
    case .nonspacingMark: 5
    case .spacingMark: 6
    case .enclosingMark: 7
    case .decimalNumber: 8
    case .letterNumber: 9
    case .otherNumber: 10
    case .connectorPunctuation: 11
    case .dashPunctuation: 12
    case .openPunctuation: 13
    case .closePunctuation: 14
    case .initialPunctuation: 15
    case .finalPunctuation: 16
    case .otherPunctuation: 17
    case .mathSymbol: 18
    case .currencySymbol: 19
    case .modifierSymbol: 20
    case .otherSymbol: 21
    case .spaceSeparator: 22
    case .lineSeparator: 23
    case .paragraphSeparator: 24
    case .control: 25
    case .format: 26
    case .surrogate: 27
    case .privateUse: 28
    case .unassigned: 29
    @unknown default: 29
    }
  }
}
