import Foundation
import Testing

@testable import Golden

/// Networks that judge pictures, against transformers: from pixels to features, answers and things.
@Suite struct JudgeCaseTests {
  private static let cases = [
    "judge_clip", "judge_qwen2_5_vl_a", "judge_qwen3_vl", "judge_mask2former",
  ]

  @Test(arguments: cases) func equalsThePublishedClass(_ name: String) throws {
    let golden = try #require(try GoldenCase(folder: "\(CaseCopy.fixtures)/\(name)"))
    let comparisons = try golden.check(on: sharedClient.get())
    #expect(comparisons.map(\.name) == golden.expected.names)
    for comparison in comparisons {
      #expect(comparison.relative < 2e-5, "\(name): \(comparison.name)")
      #expect(comparison.share <= 1, "\(name): \(comparison.name)")
    }
  }

  @Test(arguments: cases) func everyOutputIsCompared(_ name: String) throws {
    let damaged = try CaseCopy(name)
    try damaged.edit(.expected) { $0 = $0.mapValues { $0.filled(with: 2.5) } }
    let wrong = try damaged.check().filter { $0.share > 1 }
    // At padding, of which one of the prompts has some, what the case has counts for none.
    #expect(try wrong.map(\.name).sorted() == damaged.names(.expected))
    let more = try CaseCopy(name)
    try more.edit(.expected) { $0["answer_x"] = $0.values.first }
    more.expectError("answer_x")
  }

  @Test func anotherTextOfAConversationIsNamed() throws {
    let damaged = try CaseCopy("judge_qwen2_5_vl_a")
    try damaged.editSettings { settings in
      var texts = settings["chat_text"] as? [String: [String]] ?? [:]
      texts["one"] = ["<|im_start|>user\n"]
      settings["chat_text"] = texts
    }
    damaged.expectError("the text of its run one")
  }
}
