import Datasets
import Files

/// A prompt of GenEval 2 with its questions (Kamath and others, 2025).
public struct GenEval2Prompt: Hashable, Sendable {
  /// A question about one thing that the prompt says.
  public struct Question: Hashable, Sendable {
    /// The question.
    public let text: String
    /// The right answer: a number in words, or `Yes`.
    public let answer: String
    /// `object`, `attribute`, `count`, `position` or `verb`.
    public let skill: String

    /// What a model is asked.
    public var instruction: String { "\(text) Answer in one word." }

    /// The spellings of the answer whose first tokens count, in the published order; equal ones count
    /// twice.
    public var spellings: [String] {
      guard text.hasPrefix("How many") else { return GenEval2Prompt.yes }
      let capitalized = answer.prefix(1).uppercased() + answer.dropFirst().lowercased()
      let number = Self.numbers[answer] ?? "other"
      return [answer, capitalized, " \(answer)", " \(capitalized)", number, " \(number)"]
    }

    private static let numbers: [String: String] = Dictionary(
      uniqueKeysWithValues: [
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
      ].enumerated().map { ($1, "\($0 + 1)") })
  }

  /// The prompt.
  public let prompt: String
  /// The number of things that the prompt says, 3 to 10.
  public let atomCount: Int
  /// The questions.
  public let questions: [Question]

  /// The spellings of yes.
  public static let yes = ["Yes", "yes", " yes", " Yes"]
  /// The skills in the published order.
  public static let skills = ["object", "attribute", "count", "position", "verb"]

  /// What a model is asked about the whole prompt for VQAScore.
  public var instruction: String {
    "Does this image show \"\(prompt)\"? Answer the question with Yes or No."
  }

  /// Reads a line of `geneval2_data.jsonl`.
  package init(_ value: JSON) throws(RowFault) {
    let members = try JSONMembers(value)
    prompt = try members.string("prompt")
    atomCount = try members.integer("atom_count")
    let pairs = try members.list("vqa_list")
    let skills = try members.list("skills")
    guard pairs.count == skills.count, !pairs.isEmpty else {
      throw RowFault("it has \(pairs.count) questions and \(skills.count) skills")
    }
    var questions: [Question] = []
    for (pair, skill) in zip(pairs, skills) {
      guard case .array(let texts) = pair, texts.count == 2, case .string(let text) = texts[0],
        case .string(let answer) = texts[1], case .string(let skill) = skill
      else { throw RowFault("a question is not a text with its answer and skill") }
      guard Self.skills.contains(skill) else {
        throw RowFault("it has the skill \"\(skill)\", which is not one of \(Self.skills)")
      }
      questions.append(Question(text: text, answer: answer, skill: skill))
    }
    self.questions = questions
  }

  /// Reads a file of prompts.
  ///
  /// - Throws: `FileError.unreadable`, `BenchmarkError.damagedLine`.
  public static func read(_ path: String) throws -> [GenEval2Prompt] {
    try JSONLines.read(path) { try GenEval2Prompt($0) }
  }
}
