/// The score of LongText-Bench (Geng and others, 2025) of one picture: how many words of the true text were
/// read, in whatever order.
public struct LongTextScore: Hashable, Sendable {
  /// The languages of the prompts, by the published names.
  public enum Language: String, Codable, CaseIterable, Sendable {
    /// English: words are compared, in lower case.
    case english = "en"
    /// Chinese: characters are compared.
    case chinese = "zh"
  }

  /// The true text as it was compared.
  public let truth: String
  /// The reading as it was compared.
  public let reading: String
  /// The number of words or characters of the true text that were read.
  public let matched: Int
  /// The number of words or characters of the true text.
  public let count: Int

  /// The fraction that was read; nil for a true text without words.
  public var recall: Double? { count == 0 ? nil : Double(matched) / Double(count) }

  /// Compares a reading with the true texts.
  ///
  /// - Parameter reading: the reader's text after `TextCleaning`.
  public init(truth: [String], reading: String, _ language: Language) {
    let joined = truth.joined(separator: " ")
    switch language {
    case .english:
      self.truth = TextCleaning.words(joined).lowercased()
      self.reading = TextCleaning.words(reading).lowercased()
      let match = TextMatch(words: self.truth, self.reading)
      (matched, count) = (match.matched, match.count)
    case .chinese:
      self.truth = TextCleaning.characters(joined)
      self.reading = TextCleaning.characters(reading)
      let match = TextMatch(characters: self.truth, self.reading)
      (matched, count) = (match.matched, match.count)
    }
  }

  /// The fraction that was read over many pictures; nil where there is nothing to read.
  public static func overall(_ scores: [LongTextScore]) -> Double? {
    let count = scores.reduce(0) { $0 + $1.count }
    return count == 0 ? nil : Double(scores.reduce(0) { $0 + $1.matched }) / Double(count)
  }
}
