/// The figures of DPG-Bench over many pictures.
public struct DPGSummary: Sendable {
  /// A picture with the answers about it.
  public struct Picture: Sendable {
    /// The name of the file.
    public let file: String
    /// The answers to the questions of each crop.
    public let crops: [[Int: String]]

    /// Describes a picture.
    public init(file: String, crops: [[Int: String]]) { (self.file, self.crops) = (file, crops) }
  }

  /// The yes and no of a category.
  public struct Category: Sendable {
    /// The number of answers that were yes.
    public fileprivate(set) var yes = 0
    /// The number of answers.
    public fileprivate(set) var count = 0
    /// The fraction of yes.
    public var score: Double { Double(yes) / Double(count) }
  }

  /// The pictures with scores, in their order.
  public let scores: [(file: String, score: DPGScoring.ItemScore)]
  /// The pictures without, which do not count.
  public let failures: [(file: String, failure: DPGScoring.Failure)]
  /// The categories by name.
  public let categories: [String: Category]
  /// The broad categories by name.
  public let broadCategories: [String: Category]

  /// The mean of the pictures' scores, 0 to 1; nil where none has one.
  public var overall: Double? {
    scores.isEmpty
      ? nil : scores.reduce(0) { $0 + $1.score.score } / Double(scores.count)
  }

  /// Scores pictures.
  ///
  /// - Parameter crops: the number of crops that count, from the first one.
  public init(
    _ pictures: [Picture], _ questions: DPGQuestions, crops: Int,
    _ reading: DPGQuestions.Reading = .published
  ) {
    var scores: [(file: String, score: DPGScoring.ItemScore)] = []
    var failures: [(file: String, failure: DPGScoring.Failure)] = []
    var (fine, broad): ([String: Category], [String: Category]) = ([:], [:])
    for picture in pictures {
      do throws(DPGScoring.Failure) {
        guard let item = questions.item(of: picture.file, reading) else { throw .noItem }
        let score = try DPGScoring.score(item, Array(picture.crops.prefix(crops)), reading)
        scores.append((picture.file, score))
        for (category, isYes) in score.answers {
          fine[category, default: Category()].add(isYes)
          broad[DPGQuestions.Question.broad(category), default: Category()].add(isYes)
        }
      } catch {
        failures.append((picture.file, error))
      }
    }
    (self.scores, self.failures) = (scores, failures)
    (categories, broadCategories) = (fine, broad)
  }
}

extension DPGSummary.Category {
  fileprivate mutating func add(_ isYes: Bool) {
    count += 1
    yes += isYes ? 1 : 0
  }
}
