/// What answers to the questions of DPG-Bench are worth.
public enum DPGScoring {
  /// The figures of one item's picture.
  public struct ItemScore: Sendable {
    /// The fraction of questions that count, crop by crop.
    public let crops: [Double]
    /// For each question its category, and whether the answers were yes, before parents were looked at:
    /// of the last crop alone by the published reading, of all otherwise.
    public let answers: [(category: String, isYes: Bool)]

    /// The mean over the crops.
    public var score: Double { crops.reduce(0, +) / Double(crops.count) }
  }

  /// Why a picture has no score.
  public enum Failure: Error, Hashable, Sendable {
    /// No item has the name of the file.
    case noItem
    /// A question depends on one that the item has not.
    case noParent(Int)
    /// A question has no answer.
    case noAnswer(Int, crop: Int)

    /// What is wrong.
    public var reason: String {
      switch self {
      case .noItem: "no item has this name"
      case .noParent(let number): "a question depends on question \(number), which the item has not"
      case .noAnswer(let number, let crop): "question \(number) of crop \(crop + 1) has no answer"
      }
    }
  }

  /// Scores a picture.
  ///
  /// - Parameter crops: the answers to the questions of each crop: upper left, upper right, lower left,
  ///   lower right. Only `yes` counts, in these letters.
  /// - Throws: `Failure`.
  public static func score(
    _ item: DPGQuestions.Item, _ crops: [[Int: String]],
    _ reading: DPGQuestions.Reading = .published
  ) throws(Failure) -> ItemScore {
    var scores: [Double] = []
    var answers: [(category: String, isYes: Bool)] = []
    for (number, crop) in crops.enumerated() {
      var counts: [Int: Bool] = [:]
      for question in item.questions {
        guard let answer = crop[question.number] else {
          throw .noAnswer(question.number, crop: number)
        }
        counts[question.number] = answer == "yes"
      }
      let own = item.questions.map { ($0.category, counts[$0.number]!) }
      answers = reading == .published ? own : answers + own
      switch reading {
      case .published: try zeroInOrder(item, &counts)
      case .corrected: zeroBelow(item, &counts)
      }
      scores.append(Double(counts.values.count { $0 }) / Double(counts.count))
    }
    return ItemScore(crops: scores, answers: answers)
  }

  /// Takes away questions in their order: a parent that comes later is seen as it was answered.
  private static func zeroInOrder(
    _ item: DPGQuestions.Item, _ counts: inout [Int: Bool]
  ) throws(Failure) {
    for question in item.questions {
      for parent in question.parents where parent != 0 {
        guard let counted = counts[parent] else { throw .noParent(parent) }
        guard !counted else { continue }
        counts[question.number] = false
        break
      }
    }
  }

  /// Takes away all questions below those that were not answered with yes, whatever their order. Parents
  /// that the item has not do not matter.
  private static func zeroBelow(_ item: DPGQuestions.Item, _ counts: inout [Int: Bool]) {
    var changes = true
    while changes {
      changes = false
      for question in item.questions where counts[question.number] == true {
        guard question.parents.contains(where: { $0 != 0 && counts[$0] == false }) else { continue }
        counts[question.number] = false
        changes = true
      }
    }
  }
}
