import Datasets
import Files

/// A prompt of LongText-Bench with the texts that its pictures must show.
public struct LongTextPrompt: Hashable, Sendable {
  /// The number that names its pictures.
  public let id: Int
  /// The kind of picture, such as `sign`.
  public let category: String
  /// The prompt.
  public let prompt: String
  /// The texts.
  public let texts: [String]

  /// Reads a line of `text_prompts.jsonl` or `text_prompts_zh.jsonl`.
  package init(_ value: JSON) throws(RowFault) {
    let members = try JSONMembers(value)
    id = try members.integer("prompt_id")
    prompt = try members.string("prompt")
    category = try members["category"] == nil ? "all" : members.string("category")
    var texts: [String] = []
    for element in try members.list("text") {
      guard case .string(let text) = element else { throw RowFault("its `text` is not all texts") }
      texts.append(text)
    }
    self.texts = texts
  }

  /// Reads a file of prompts.
  ///
  /// - Throws: `FileError.unreadable`, `BenchmarkError.damagedLine`.
  public static func read(_ path: String) throws -> [LongTextPrompt] {
    try JSONLines.read(path) { try LongTextPrompt($0) }
  }

  /// The language of prompts: Chinese where most of their texts have Chinese characters.
  public static func language(_ prompts: [LongTextPrompt]) -> LongTextScore.Language {
    let chinese = prompts.count { $0.texts.contains(where: TextCleaning.isChinese) }
    return 2 * chinese > prompts.count ? .chinese : .english
  }
}
