/// The text scores of OneIG-Bench (Chang and others, 2025).
public struct OneIGTextScore: Hashable, Sendable {
  /// The figures of one picture.
  public struct Picture: Hashable, Sendable {
    /// The edit distance of the texts, in characters.
    public let editDistance: Int
    /// The number of words, or of characters of a Chinese text, that were read.
    public let matched: Int
    /// The number of words or characters of the true text.
    public let count: Int

    /// The fraction that was read, 0 where there is nothing to read.
    public var accuracy: Double { count == 0 ? 0 : Double(matched) / Double(count) }

    /// Compares a reading, after `TextCleaning.all`, with the true text.
    public init(truth: String, reading: String) {
      let (truth, reading) = (Self.normalized(truth), Self.normalized(reading))
      editDistance = Self.distance(Array(truth.unicodeScalars), Array(reading.unicodeScalars))
      let match =
        TextCleaning.isChinese(truth)
        ? TextMatch(characters: truth, reading) : TextMatch(words: truth, reading)
      (matched, count) = (match.matched, match.count)
    }

    private static func normalized(_ text: String) -> String {
      let words = TextCleaning.words(text)
      return TextCleaning.isChinese(words) ? TextCleaning.characters(text) : words
    }

    /// The least number of insertions, deletions and replacements.
    private static func distance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
      var row = Array(0...b.count)
      for (i, scalar) in a.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for j in b.indices {
          let replaced = diagonal + (scalar == b[j] ? 0 : 1)
          diagonal = row[j + 1]
          row[j + 1] = min(row[j] + 1, row[j + 1] + 1, replaced)
        }
      }
      return row[b.count]
    }
  }

  /// The mean edit distance.
  public let editDistance: Double
  /// The fraction of pictures whose text was read without a mistake.
  public let completionRate: Double
  /// The fraction of all words that were read.
  public let accuracy: Double

  /// The edit distances that count at most.
  public static func mostEdits(_ language: LongTextScore.Language) -> Double {
    language == .english ? 100 : 50
  }

  /// Computes the figures of pictures, at least one.
  public init(_ pictures: [Picture]) {
    precondition(!pictures.isEmpty, "there are no pictures")
    let count = Double(pictures.count)
    editDistance = Double(pictures.reduce(0) { $0 + $1.editDistance }) / count
    completionRate = Double(pictures.count { $0.editDistance == 0 }) / count
    accuracy =
      Double(pictures.reduce(0) { $0 + $1.matched }) / Double(pictures.reduce(0) { $0 + $1.count })
  }

  /// The score, 0 to 1.
  ///
  /// - Parameter mostEdits: the edit distance beyond which a text is not worse.
  public func score(mostEdits: Double) -> Double {
    1 - min(mostEdits, editDistance) * (1 - completionRate) * (1 - accuracy) / mostEdits
  }
}
