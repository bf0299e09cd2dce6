import Foundation

/// The figures of GenEval over many pictures.
public struct GenEvalSummary: Sendable {
  /// The pictures of one task.
  public struct Task: Sendable {
    /// The task.
    public let tag: String
    /// The number of correct pictures.
    public let correct: Int
    /// The number of pictures.
    public let count: Int
    /// The fraction of correct pictures.
    public var score: Double { Double(correct) / Double(count) }
  }

  /// The number of pictures.
  public let pictures: Int
  /// The number of distinct prompts: equal ones count as one, also in several folders.
  public let prompts: Int
  /// The number of correct pictures.
  public let correctPictures: Int
  /// The number of distinct prompts with a correct picture.
  public let correctPrompts: Int
  /// The tasks in the order of the pictures.
  public let tasks: [Task]

  /// The mean of the tasks' scores.
  public var overall: Double { tasks.reduce(0) { $0 + $1.score } / Double(tasks.count) }

  /// Counts results, at least one.
  public init(_ results: [GenEvalResult]) {
    precondition(!results.isEmpty, "there are no results")
    pictures = results.count
    correctPictures = results.count(where: \.isCorrect)
    prompts = Set(results.map(\.prompt.metadata)).count
    correctPrompts = Set(results.filter(\.isCorrect).map(\.prompt.metadata)).count
    var tags: [String] = []
    for result in results where !tags.contains(result.prompt.tag) { tags.append(result.prompt.tag) }
    tasks = tags.map { tag in
      let own = results.filter { $0.prompt.tag == tag }
      return Task(tag: tag, correct: own.count(where: \.isCorrect), count: own.count)
    }
  }

  /// The text that the published `summary_scores.py` prints.
  public var text: String {
    func percent(_ part: Int, _ whole: Int) -> String {
      String(format: "%.2f%%", Double(part) / Double(whole) * 100)
    }
    let lines = tasks.map { task in
      let tag = task.tag + String(repeating: " ", count: max(0, 16 - task.tag.count))
      return "\(tag) = \(percent(task.correct, task.count)) (\(task.correct) / \(task.count))"
    }
    return """
      Summary
      =======
      Total images: \(pictures)
      Total prompts: \(prompts)
      % correct images: \(percent(correctPictures, pictures))
      % correct prompts: \(percent(correctPrompts, prompts))

      Task breakdown
      ==============
      \(lines.joined(separator: "\n"))

      Overall score (avg. over tasks): \(String(format: "%.5f", overall))
      """
  }
}
