/// Kinds of characters as the libraries know them that Hugging Face's tokenizers are built with.
///
/// They know different versions of Unicode: Oniguruma and the crate `regex` 16.0, Rust itself 17.0,
/// `unicode-normalization-alignments` 9.0, `unicode_categories` 8.0. Later characters are unassigned
/// for them, which decides how texts are split.
enum UnicodeVersion {
  /// Of regular expressions.
  static let patterns = (major: 16, minor: 0)
  /// Of NFC, NFD, NFKC, NFKD and of stripped accents.
  static let normalization = (major: 9, minor: 0)
  /// Of BERT's normalizer and of punctuation.
  static let categories = (major: 8, minor: 0)
}

extension Unicode.Scalar {
  /// Whether the scalar was assigned in a version of Unicode.
  func isAssigned(in version: (major: Int, minor: Int)) -> Bool {
    // The scalars below, but for a few, are older than all versions in question.
    if value < 0x250 { return true }
    guard let age = properties.age else { return false }
    return (age.major, age.minor) <= version
  }

  /// The general category in regular expressions.
  var patternCategory: Unicode.GeneralCategory {
    isAssigned(in: UnicodeVersion.patterns) ? properties.generalCategory : .unassigned
  }

  /// Whether `\w` of Oniguruma matches, alone or in brackets.
  func isPatternWord(alone: Bool) -> Bool {
    switch value {
    case 0xB2, 0xB3, 0xB9, 0xBC...0xBE: alone
    case 0x200C, 0x200D: false
    default: isWord
    }
  }

  /// Whether `\w` of the crate `regex` matches.
  var isWord: Bool {
    guard isAssigned(in: UnicodeVersion.patterns) else { return false }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation:
      return true
    default: return properties.isAlphabetic || properties.isJoinControl
    }
  }

  /// Whether it is a number of any kind.
  var isNumeric: Bool {
    switch properties.generalCategory {
    case .decimalNumber, .letterNumber, .otherNumber: true
    default: false
    }
  }

  /// Whether it is punctuation: all of ASCII's symbols too.
  var isPunctuation: Bool {
    if isASCII { return Self.asciiPunctuation.contains(value) }
    // Their categories changed in later versions.
    if value == 0x166D || value == 0x111C9 { return true }
    guard isAssigned(in: UnicodeVersion.categories) else { return false }
    switch properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
      .initialPunctuation, .finalPunctuation, .otherPunctuation:
      return true
    default: return false
    }
  }

  private static let asciiPunctuation = Set(
    [0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E].flatMap { Array<UInt32>($0) })

  /// Whether it is a control, a format or a private character.
  var isOther: Bool {
    guard isAssigned(in: UnicodeVersion.categories) else { return false }
    switch properties.generalCategory {
    case .control, .format, .privateUse: return true
    default: return false
    }
  }

  /// Whether the normalizer `StripAccents` removes it.
  var isCombiningMark: Bool {
    switch value {
    // Their categories changed in later versions.
    case 0x1CF2, 0x1CF3: return true
    case 0x111C9: return false
    default: break
    }
    guard isAssigned(in: UnicodeVersion.normalization) else { return false }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark: return true
    default: return false
    }
  }

  /// Whether BERT's normalizer removes it as an accent.
  var isNonspacingMark: Bool {
    switch value {
    // Their categories changed in later versions.
    case 0x1734, 0x1171E: return true
    case 0x1885, 0x1886, 0xA9BD, 0x111C9: return false
    default: break
    }
    return isAssigned(in: UnicodeVersion.categories)
      && properties.generalCategory == .nonspacingMark
  }

  /// Whether BERT's normalizer puts blanks around it.
  var isIdeograph: Bool {
    switch value {
    case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F,
      0x2B920...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F:
      true
    default: false
    }
  }
}
