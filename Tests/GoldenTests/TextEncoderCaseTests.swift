import Foundation
import Testing

@testable import Golden

/// Text encoders against the published classes, and damaged cases of them.
@Suite struct TextEncoderCaseTests {
  private static let cases = [
    "te_bert", "te_clip_l_quickgelu", "te_gemma2", "te_qwen2_5_vl", "te_qwen3", "te_t5",
  ]

  @Test(arguments: cases) func equalsThePublishedClass(_ name: String) throws {
    let golden = try #require(try GoldenCase(folder: "\(CaseCopy.fixtures)/\(name)"))
    let comparisons = try golden.check(on: sharedClient.get())
    #expect(comparisons.map(\.name) == golden.expected.names)
    for comparison in comparisons {
      // Far below the tolerance, which is for other machines and larger networks.
      #expect(comparison.relative < 1e-5, "\(name): \(comparison.name)")
      #expect(comparison.share <= 1, "\(name): \(comparison.name)")
    }
  }

  /// Windows that differ by layer are values in a loop, and part of the program where it is unrolled.
  @Test(arguments: cases, ["unrolled", "scanned", "recomputed"])
  func equalsItHoweverLayersAreRun(_ name: String, _ execution: String) throws {
    let copy = try CaseCopy(name)
    try copy.editSettings(of: "model/config.json") { $0["execution"] = execution }
    let comparisons = try copy.check()
    #expect(comparisons.allSatisfy { $0.relative < 1e-5 })
  }

  @Test(arguments: cases) func everyOutputIsCompared(_ name: String) throws {
    let damaged = try CaseCopy(name)
    try damaged.edit(.expected) { $0 = $0.mapValues { $0.filled(with: 1) } }
    let wrong = try damaged.check().filter { $0.share > 1 }
    #expect(try wrong.map(\.name).sorted() == damaged.names(.expected))
    let other = try CaseCopy(name)
    try other.edit(.expected) { arrays in
      arrays["last_hidden_state"] = arrays.values.first?.deeper
    }
    other.expectError("its expected last_hidden_state is")
    for output in ["logits", "hidden_x", "hidden_-1", "hidden_4", "hidden_"] {
      let more = try CaseCopy(name)
      try more.edit(.expected) { $0[output] = $0.values.first }
      more.expectError(output)
    }
  }

  /// What transformers computes at padding is not looked at.
  @Test(arguments: ["te_qwen3", "te_qwen2_5_vl", "te_gemma2"]) func paddingIsNotCompared(
    _ name: String
  ) throws {
    let damaged = try CaseCopy(name)
    try damaged.edit(.expected) { arrays in
      for (name, var array) in arrays {
        // The last token of the last text.
        let row = array.bytes.count / 18
        array.bytes.replaceSubrange((17 * row)..., with: Data(count: row))
        arrays[name] = array
      }
    }
    #expect(try damaged.check().allSatisfy { $0.share <= 1 })
  }

  @Test(arguments: cases) func inputsAreChecked(_ name: String) throws {
    for input in try CaseCopy(name).names(.inputs) {
      let without = try CaseCopy(name)
      try without.edit(.inputs) { $0[input] = nil }
      if input == "input_ids" {
        without.expectError("has no input_ids")
      } else {
        // Padding that nobody hides changes texts without a causal mask.
        #expect(try without.check().contains { $0.share > 1 })
      }
      for change in [\CaseCopy.Array.shorter, \.deeper] {
        let damaged = try CaseCopy(name)
        try damaged.edit(.inputs) { $0[input] = try #require($0[input])[keyPath: change] }
        #expect(throws: GoldenError.self, "\(input)") { try damaged.check() }
      }
      for number in [Float.nan, .infinity, -1, 0.5, 96] {
        let damaged = try CaseCopy(name)
        try damaged.edit(.inputs) { $0[input] = $0[input]?.filled(with: number) }
        damaged.expectError("its input \(input) holds")
      }
    }
    let empty = try CaseCopy(name)
    try empty.edit(.inputs) { arrays in
      for name in arrays.keys {
        arrays[name] = CaseCopy.Array(type: "I64", shape: [2, 0], bytes: Data())
      }
    }
    empty.expectError("holds no tokens")
  }

  @Test func textsAreNoLongerThanThePositions() throws {
    let damaged = try CaseCopy("te_clip_l_quickgelu")
    try damaged.editSettings(of: "model/config.json") { $0["max_position_embeddings"] = 8 }
    damaged.expectError("9 tokens, and its model 8 positions")
  }

  @Test(arguments: [
    ("te_bert", "position_embedding_type", "\"relative_key\"", "position_embedding_type"),
    ("te_bert", "num_attention_heads", "5", "num_attention_heads"),
    ("te_qwen3", "hidden_act", "\"other\"", "hidden_act"),
    ("te_qwen3", "model_type", "\"llama\"", "only qwen3"),
    ("te_gemma2", "hidden_activation", "\"other\"", "hidden_activation"),
    ("te_gemma2", "sliding_window", "0", "sliding_window"),
    ("te_t5", "is_decoder", "true", "is_decoder"), ("te_t5", "d_model", "null", "d_model"),
    ("te_clip_l_quickgelu", "num_attention_heads", "5", "num_attention_heads"),
  ])
  func unsupportedConfigsAreNamed(name: String, key: String, json: String, hint: String) throws {
    let damaged = try CaseCopy(name)
    let value = try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
    try damaged.editSettings(of: "model/config.json") { $0[key] = value }
    damaged.expectError(hint)
  }

  @Test(arguments: cases) func otherWeightsAreNamed(_ name: String) throws {
    for (key, value) in [("vocab_size", 97), ("hidden_size", 48), ("d_model", 48)] {
      let damaged = try CaseCopy(name)
      var isKnown = false
      try damaged.editSettings(of: "model/config.json") { settings in
        isKnown = settings[key] != nil
        settings[key] = value
      }
      if isKnown { damaged.expectError("does not hold this network's weights") }
    }
    let without = try CaseCopy(name)
    try FileManager.default.removeItem(atPath: without.path + "/model/model.safetensors")
    #expect(throws: GoldenError.self) { try without.check() }
  }

  @Test func unknownClassesAreNamed() throws {
    let damaged = try CaseCopy("te_t5")
    try damaged.editSettings { $0["cls"] = "UMT5EncoderModel" }
    damaged.expectError("UMT5EncoderModel")
  }
}
