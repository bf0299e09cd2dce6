import Foundation

/// How a reader's texts are cleaned and normalized before they are compared.
public enum TextCleaning {
  /// What readers say besides the text of a picture.
  static let keywords = ["addCriterion", "No text recognized."]

  /// The text as LongText-Bench's code leaves it: each of the keywords is taken from the original text, so
  /// that only the last one is gone.
  public static func longText(_ text: String) -> String { without(keywords.last!, text) }

  /// The text without any of the keywords, as OneIG's code leaves it.
  public static func all(_ text: String) -> String { keywords.reduce(text) { without($1, $0) } }

  private static func without(_ keyword: String, _ text: String) -> String {
    [keyword, "\n\(keyword)", "\(keyword)\n"].reduce(text) { text, pattern in
      text.replacingOccurrences(of: pattern, with: "", options: .literal)
    }
  }

  /// The accented letters that are kept.
  private static let accented = Set("àâäéèêëîïôöùûüçÀÂÄÉÈÊËÎÏÔÖÙÛÜÇ".unicodeScalars)

  /// Whether a character is compared: others are deleted, so that the words around them become one.
  static func isKept(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "\u{4E00}"..."\u{9FA5}": true
    default: accented.contains(scalar)
    }
  }

  /// The kept characters without white space.
  static func characters(_ text: String) -> String { text.unicodeScalars.filter(isKept).text }

  /// The kept characters, with a blank for each white space.
  static func words(_ text: String) -> String {
    let kept = text.unicodeScalars.filter { isKept($0) || $0.isPythonSpace }
    return kept.split(whereSeparator: \.isPythonSpace).map(\.text).joined(separator: " ")
  }

  /// Whether a text has a Chinese character.
  static func isChinese(_ text: String) -> Bool {
    text.unicodeScalars.contains { ("\u{4E00}"..."\u{9FFF}").contains($0) }
  }
}

/// The units of two texts that are the same, each as often as both have it.
struct TextMatch {
  /// The number of equal units.
  let matched: Int
  /// The number of units of the true text.
  let count: Int

  /// Compares characters.
  init(characters truth: String, _ reading: String) {
    self.init(Array(truth.unicodeScalars), Array(reading.unicodeScalars))
  }

  /// Compares words.
  init(words truth: String, _ reading: String) {
    self.init(truth.split(separator: " "), reading.split(separator: " "))
  }

  private init<Unit: Hashable>(_ truth: [Unit], _ reading: [Unit]) {
    let counts = [truth, reading].map { Dictionary($0.map { ($0, 1) }, uniquingKeysWith: +) }
    matched = counts[0].reduce(0) { $0 + min($1.value, counts[1][$1.key] ?? 0) }
    count = truth.count
  }
}
