import Foundation
import Testing

@testable import Golden

/// The scores of pictures against the published scripts, and damaged cases of them.
@Suite struct EvaluationCaseTests {
  private static let cases = [
    "eval_geneval_a": 6, "eval_dpg_a": 27, "eval_geneval2_a": 20, "eval_longtext_a": 10,
  ]

  @Test(arguments: cases) func equalsThePublishedScripts(_ name: String, outputs: Int) throws {
    let golden = try #require(try GoldenCase(folder: "\(CaseCopy.fixtures)/\(name)"))
    let comparisons = try golden.check(on: sharedClient.get())
    #expect(comparisons.count == outputs)
    for comparison in comparisons {
      #expect(comparison.share <= 1, "\(comparison.name): \(comparison.note ?? "")")
    }
  }

  /// A check that passes whatever it is given would prove nothing.
  @Test(arguments: [
    ("eval_geneval_a", "detections.jsonl", "\"score\": 0.9", "\"score\": 0.1", "results"),
    ("eval_dpg_a", "answers.jsonl", "\"1\": \"yes\"", "\"1\": \"no\"", "overall"),
    ("eval_geneval2_a", "data.jsonl", "\"ten\"]", "\"two\"]", "score_lists"),
    ("eval_longtext_a", "ocr_en.jsonl", "ROOM 12", "ROOM 13", "en.results"),
  ])
  func changedFindingsAreFound(
    _ name: String, file: String, text: String, other: String, output: String
  ) throws {
    let copy = try CaseCopy(name)
    let path = "\(copy.path)/\(file)"
    let content = try String(contentsOfFile: path, encoding: .utf8)
    #expect(content.contains(text))
    try content.replacing(text, with: other).write(toFile: path, atomically: true, encoding: .utf8)
    let golden = try #require(try GoldenCase(folder: copy.path))
    let wrong = try golden.check(on: sharedClient.get()).filter { $0.share > 1 }.map(\.name)
    #expect(wrong.contains { $0.contains(output) }, "\(wrong)")
  }

  @Test(arguments: [
    ("eval_geneval_a", "metadata.jsonl", "{\"tag\": 3}", "line 1: its `tag` is a number"),
    ("eval_geneval_a", "detections.jsonl", "", "metadata.jsonl"),
    ("eval_dpg_a", "dpg_single.csv", "item_id,text\n1,a\n", "it has no column proposition_id"),
    ("eval_geneval2_a", "tokens.json", "{}", "has no \""),
    ("eval_longtext_a", "ocr_en.jsonl", "[]", "ocr_en.jsonl is not as expected"),
    ("eval_longtext_a", "config.json", "{\"kind\": \"eval_longtext\"}", "config.json"),
  ])
  func damagedCasesAreNamed(_ name: String, file: String, content: String, hint: String) throws {
    let copy = try CaseCopy(name)
    try Data(content.utf8).write(to: URL(fileURLWithPath: "\(copy.path)/\(file)"))
    let error = #expect(throws: GoldenError.self) {
      let golden = try #require(try GoldenCase(folder: copy.path))
      return try golden.check(on: sharedClient.get())
    }
    let text = error?.description ?? ""
    #expect(text.contains(hint) && !text.contains("\n"), "\(text)")
  }
}
