import Files
import Foundation

/// The prompts of a benchmark with what their pictures must show.
public struct BenchmarkSet: Sendable {
  /// A prompt.
  public struct Item: Hashable, Sendable {
    /// The name that pictures are filed under.
    public let id: String
    /// The prompt.
    public let prompt: String
    /// The category that its score counts for.
    public let category: String
  }

  /// What belongs to the prompts, in their order.
  public enum Content: Sendable {
    /// Also of emoji-compositions.
    case geneval([GenEvalPrompt])
    case dpg(DPGQuestions)
    case geneval2([GenEval2Prompt])
    case longText([LongTextPrompt], LongTextScore.Language)
    /// With the true texts of the prompts that ask for some.
    case oneIG(OneIGPrompts, texts: [String: String]?)
  }

  /// The benchmark.
  public let benchmark: Benchmark
  /// The file.
  public let path: String
  /// The hash of the file.
  public let hash: String
  /// The prompts in the order of the file.
  public let items: [Item]
  /// What belongs to them.
  public let content: Content

  /// Reads a file of prompts.
  ///
  /// - Throws: `FileError.unreadable`, `BenchmarkError`, `DatasetError`.
  public init(_ benchmark: Benchmark, _ path: String) throws {
    (self.benchmark, self.path) = (benchmark, path)
    hash = try ContentHash.ofFile(path)
    switch benchmark {
    case .geneval, .emojiCompositions:
      let prompts = try GenEvalPrompt.read(path)
      content = .geneval(prompts)
      items = prompts.enumerated().map { number, prompt in
        Item(id: Self.padded(number, to: 5), prompt: prompt.prompt, category: prompt.tag)
      }
    case .dpg:
      let questions = try DPGQuestions(path)
      content = .dpg(questions)
      items = questions.items.map { Item(id: $0.id, prompt: $0.prompt, category: "") }
    case .geneval2:
      let prompts = try GenEval2Prompt.read(path)
      content = .geneval2(prompts)
      items = prompts.enumerated().map { number, prompt in
        Item(
          id: Self.padded(number, to: 5), prompt: prompt.prompt,
          category: "\(prompt.atomCount) atoms")
      }
    case .longText:
      let prompts = try LongTextPrompt.read(path)
      content = .longText(prompts, LongTextPrompt.language(prompts))
      items = prompts.map {
        Item(id: Self.padded($0.id, to: 4), prompt: $0.prompt, category: $0.category)
      }
    case .oneIG:
      let all = try OneIGPrompts(path)
      content = .oneIG(all, texts: try OneIGPrompts.texts(beside: path, all.language))
      items = all.prompts.map {
        Item(id: "\($0.folder)/\($0.id)", prompt: $0.prompt, category: $0.folder)
      }
    }
    guard !items.isEmpty else {
      throw BenchmarkError.otherFile(
        path: path, benchmark: benchmark.title, reason: "it has no prompts")
    }
    var seen = Set<String>()
    if let twice = items.first(where: { !seen.insert($0.id).inserted }) {
      throw BenchmarkError.otherFile(
        path: path, benchmark: benchmark.title, reason: "it has \(twice.id) twice")
    }
    for item in items where item.id.contains("..") || item.id.hasPrefix("/") || item.id.isEmpty {
      throw BenchmarkError.otherFile(
        path: path, benchmark: benchmark.title,
        reason: "\"\(item.id)\" cannot be the name of a picture")
    }
  }

  /// A number with zeros in front.
  static func padded(_ number: Int, to digits: Int) -> String {
    let text = "\(number)"
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }
}
