import Foundation

/// The figures of GenEval 2: Soft-TIFA by probabilities, or TIFA by zeros and ones.
public struct GenEval2Summary: Sendable {
  /// The mean over some questions or prompts.
  public struct Mean: Sendable, Hashable {
    /// The sum.
    public var sum = 0.0
    /// The number.
    public var count = 0
    /// The mean.
    public var value: Double { sum / Double(count) }
  }

  /// The arithmetic mean of each prompt's questions.
  public let arithmetic: [Double]
  /// The geometric mean of each prompt's questions, 0 where one is 0.
  public let geometric: [Double]
  /// The arithmetic mean over all questions of a skill.
  public let perSkill: [String: Mean]
  /// The mean of the geometric means over the prompts with a number of atoms.
  public let perAtomCount: [Int: Mean]

  /// The mean of the arithmetic means.
  public var arithmeticMean: Double { arithmetic.reduce(0, +) / Double(arithmetic.count) }
  /// The mean of the geometric means.
  public var geometricMean: Double { geometric.reduce(0, +) / Double(geometric.count) }

  /// Computes the figures.
  ///
  /// - Parameter scores: a number from 0 to 1 for each question of each prompt.
  public init(_ scores: [[Double]], _ prompts: [GenEval2Prompt]) {
    precondition(
      zip(scores, prompts).allSatisfy { $0.count == $1.questions.count }
        && scores.count == prompts.count && !scores.isEmpty, "each question has a score")
    arithmetic = scores.map { $0.reduce(0, +) / Double($0.count) }
    geometric = scores.map(Self.geometricMean)
    var (skills, counts): ([String: Mean], [Int: Mean]) = ([:], [:])
    for (number, prompt) in prompts.enumerated() {
      for (question, score) in zip(prompt.questions, scores[number]) {
        skills[question.skill, default: Mean()].add(score)
      }
      counts[prompt.atomCount, default: Mean()].add(geometric[number])
    }
    (perSkill, perAtomCount) = (skills, counts)
  }

  /// The geometric mean of numbers from 0 on.
  public static func geometricMean(_ numbers: [Double]) -> Double {
    exp(numbers.reduce(0) { $0 + log($1) } / Double(numbers.count))
  }
}

extension GenEval2Summary.Mean {
  fileprivate mutating func add(_ number: Double) {
    sum += number
    count += 1
  }
}
