import Datasets
import Files
import Foundation

/// The prompts of OneIG-Bench, from its `OneIG-Bench.csv` or `OneIG-Bench-ZH.csv`.
public struct OneIGPrompts: Sendable {
  /// A prompt.
  public struct Prompt: Hashable, Sendable {
    /// The folder of its pictures: `anime`, `human`, `object`, `text`, `reasoning`, `multilingualism`.
    public let folder: String
    /// The number within the folder, which names the picture.
    public let id: String
    /// The prompt.
    public let prompt: String
  }

  /// The prompts in the order of the file.
  public let prompts: [Prompt]
  /// The language.
  public let language: LongTextScore.Language

  /// The folders of the categories, by the published names.
  static let folders = [
    "Anime_Stylization": "anime", "Portrait": "human", "General_Object": "object",
    "Text_Rendering": "text", "Knowledge_Reasoning": "reasoning",
    "Multilingualism": "multilingualism",
  ]

  /// Reads a file.
  ///
  /// - Throws: `FileError.unreadable`, `DatasetError`, and `BenchmarkError.otherFile` for a file of other
  ///   columns.
  public init(_ path: String) throws {
    let table = try TextTable(path)
    func fail(_ reason: String) -> BenchmarkError {
      .otherFile(path: path, benchmark: Benchmark.oneIG.title, reason: reason)
    }
    var language: LongTextScore.Language?
    prompts = try (0..<table.count).map { number in
      let row: [String: [String]]
      do {
        row = try table.row(number)
      } catch let fault as RowFault {
        throw table.error(fault, number)
      }
      if language == nil {
        language = row["prompt_en"] != nil ? .english : row["prompt_cn"] != nil ? .chinese : nil
      }
      guard let language, let category = row["category"]?.first, let id = row["id"]?.first,
        let prompt = row[language == .english ? "prompt_en" : "prompt_cn"]?.first
      else { throw fail("it has no columns category, id and prompt_en or prompt_cn") }
      guard let folder = Self.folders[category] else {
        throw fail("line \(table.line(number)) has the category \(category)")
      }
      return Prompt(folder: folder, id: id, prompt: prompt)
    }
    self.language = language!
  }

  /// The file of true texts, OneIG's `text_content.csv`, which lies beside the prompts or in `scripts/text`
  /// there; nil for none.
  static func textsPath(beside path: String, _ language: LongTextScore.Language) -> String? {
    let name = language == .english ? "text_content.csv" : "text_content_zh.csv"
    let folder = (path as NSString).deletingLastPathComponent
    return ["", "scripts/text/"].map { (folder.isEmpty ? "" : "\(folder)/") + $0 + name }
      .first(where: FileManager.default.fileExists)
  }

  /// The true texts by the number of the prompt; nil where there is no file of them.
  ///
  /// - Throws: `FileError.unreadable`, `DatasetError`, `BenchmarkError.otherFile`.
  static func texts(
    beside path: String, _ language: LongTextScore.Language
  ) throws -> [String: String]? {
    guard let place = textsPath(beside: path, language) else { return nil }
    let table = try TextTable(place)
    var texts: [String: String] = [:]
    for number in 0..<table.count {
      do {
        let row = try table.row(number)
        guard let id = row["id"]?.first, let text = row["text_content"]?.first else {
          throw BenchmarkError.otherFile(
            path: place, benchmark: Benchmark.oneIG.title,
            reason: "it has no columns id and text_content")
        }
        texts[id] = text
      } catch let fault as RowFault {
        throw table.error(fault, number)
      }
    }
    return texts
  }
}
