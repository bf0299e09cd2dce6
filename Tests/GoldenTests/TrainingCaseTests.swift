import Foundation
import TestSupport
import Testing

@testable import Golden

/// Training steps of published networks, and networks with files of LoRA, against the published code.
@Suite struct TrainingCaseTests {
  private static let steps = [
    "train_qwenimage_a", "train_qwenimage_3steps_a", "train_qwenimage_lora_a", "train_sana_a",
  ]

  @Test(arguments: steps) func trainingEqualsThePublishedSteps(_ name: String) throws {
    let golden = try #require(try GoldenCase(folder: "\(CaseCopy.fixtures)/\(name)"))
    let comparisons = try golden.check(on: sharedClient.get())
    for comparison in comparisons {
      #expect(comparison.share <= 0.2, "\(name): \(comparison.name), \(comparison.relative)")
    }
    // The calls of the network are batched in another way, and what the teacher predicts is part of
    // the enhanced target. Weights whose gradient is near 0 have no comparable element.
    let left = ["mask.", "call", "refer_v", "predc_v", "dm.x_grad"]
    let settings: GoldenCase.TrainingSettings = try golden.settings()
    // Those of SANA's attention to the text are 0 but for rounding.
    let noisy = settings.weights_with_noise_gradient ?? []
    let compared = Set(comparisons.map(\.name))
    let missing = golden.expected.names.filter { output in
      !compared.contains(output) && !left.contains { output.hasPrefix($0) }
        && !noisy.contains { output.hasSuffix(".\($0)") }
    }
    #expect(missing.isEmpty, "outputs that are not compared")
    #expect(compared.contains("adapter_after_peft") == name.contains("lora"))
  }

  private static let wrongSettings = SlowTests.arguments(
    [
      ("train_qwenimage_a", "method.enhanced_ratio", "0.81", "target_enhanced", "x_t"),
      ("train_qwenimage_lora_a", "lora.alpha", "4", "adapter_in_peft", "adapter_none"),
    ],
    slow: [
      (
        "train_qwenimage_a", "method.dist_match_cof", "0.25", "grad.img_in.weight",
        "loss0.per_sample"
      ),
      ("train_qwenimage_a", "optimizer.lr", "0.0011", "after.img_in.weight", "grad.img_in.weight"),
      ("train_qwenimage_a", "optimizer.eps", "0.001", "after.img_in.weight", "grad_norm"),
      (
        "train_qwenimage_3steps_a", "optimizer.betas", "[0.9, 0.8]", "after.img_in.weight",
        "step0.loss"
      ),
      (
        "train_qwenimage_3steps_a", "optimizer.max_grad_norm", "100", "after.img_in.weight",
        "step0.loss"
      ),
      (
        "train_qwenimage_3steps_a", "method.ema_decay_rate", "0.5", "ema_after.img_in.weight",
        "step0.loss"
      ),
    ])

  /// What a wrong setting changes is found, and nothing else.
  @Test(arguments: wrongSettings)
  func wrongSettingsAreFound(
    name: String, key: String, json: String, changed: String, same: String
  ) throws {
    let copy = try CaseCopy(name)
    let keys = key.split(separator: ".").map(String.init)
    let value = try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
    try copy.editSettings { settings in
      var inner = try #require(settings[keys[0]] as? [String: Any])
      #expect(inner[keys[1]] != nil)
      inner[keys[1]] = value
      settings[keys[0]] = inner
    }
    let wrong = try copy.check().filter { $0.share > 1 }.map(\.name)
    #expect(wrong.contains(changed) && !wrong.contains(same), "\(wrong)")
  }

  @Test(arguments: steps) func missingInputsAreNamed(_ name: String) throws {
    let names = try CaseCopy(name).names(.inputs)
    for input in names where !input.contains("transformer_blocks") {
      let missing = try CaseCopy(name)
      try missing.edit(.inputs) { $0[input] = nil }
      #expect(throws: GoldenError.self, "\(input)") { try missing.check() }
      for change in [\CaseCopy.Array.shorter, \.deeper] {
        let damaged = try CaseCopy(name)
        try damaged.edit(.inputs) { $0[input] = try #require($0[input])[keyPath: change] }
        #expect(throws: GoldenError.self, "\(input)") { try damaged.check() }
      }
    }
  }

  @Test(arguments: steps) func expectedOutputsAreAllCompared(_ name: String) throws {
    let damaged = try CaseCopy(name)
    try damaged.edit(.expected) { arrays in
      for output in arrays.keys where !output.hasPrefix("mask.") {
        arrays[output] = arrays[output]?.filled(with: 7)
      }
    }
    let comparisons = try damaged.check()
    // The files before the step are those of the inputs; gradients of 7 leave no weight out.
    #expect(comparisons.count > 100)
    #expect(comparisons.filter { $0.share <= 1 }.allSatisfy { $0.name.hasPrefix("adapter_in") })
  }

  @Test func unknownClassesAndOptimizersAreNamed() throws {
    let damaged = try CaseCopy("train_qwenimage_a")
    try damaged.editSettings(of: "model/config.json") { $0["_class_name"] = "UNet2DModel" }
    damaged.expectError("UNet2DModel, is not supported")
    let other = try CaseCopy("train_qwenimage_a")
    try other.editSettings { settings in
      var optimizer = try #require(settings["optimizer"] as? [String: Any])
      optimizer["optimizer"] = "Lion"
      settings["optimizer"] = optimizer
    }
    other.expectError("its optimizer is Lion")
  }

  private static let lora = "lora_qwenimage_a"

  @Test func networksWithLoRAEqualThePublishedOnes() throws {
    let golden = try #require(try GoldenCase(folder: "\(CaseCopy.fixtures)/\(Self.lora)"))
    let comparisons = try golden.check(on: sharedClient.get())
    #expect(comparisons.map(\.name) == golden.expected.names && comparisons.count == 9)
    for comparison in comparisons {
      #expect(comparison.relative < 2e-5 && comparison.share <= 1, "\(comparison.name)")
    }
  }

  /// Scales a little off are far beyond the tolerance.
  @Test func wrongScalesAreFound() throws {
    let copy = try CaseCopy(Self.lora)
    try copy.editSettings { settings in
      var runs = try #require(settings["runs"] as? [[String: Any]])
      for number in runs.indices {
        let scales = try #require(runs[number]["scales"] as? [Double])
        runs[number]["scales"] = scales.map { $0 * 1.01 }
      }
      settings["runs"] = runs
    }
    let right = try copy.check().filter { $0.share <= 1 }.map(\.name)
    #expect(right == ["base"])
  }

  @Test func invalidRunsAreNamed() throws {
    func change(_ edit: (inout [String: Any]) -> Void) throws -> CaseCopy {
      let copy = try CaseCopy(Self.lora)
      try copy.editSettings { settings in
        var runs = try #require(settings["runs"] as? [[String: Any]])
        edit(&runs[1])
        settings["runs"] = runs
      }
      return copy
    }
    try change { $0["scales"] = [1, 2] }.expectError("1 files and 2 scales")
    try change { $0["files"] = ["none"] }.expectError("none.safetensors")
    try change { $0["scales"] = "all" }.expectError("scales")
    let unknown = try CaseCopy(Self.lora)
    try unknown.editSettings { $0["cls"] = "UNet2DModel" }
    unknown.expectError("UNet2DModel, is not known")
    let grid = try CaseCopy(Self.lora)
    try grid.editSettings { $0["packed_grid"] = [3, 3] }
    grid.expectError("its input packed is")
    let other = try CaseCopy(Self.lora)
    try other.editSettings(of: "model/config.json") { $0["num_layers"] = 1 }
    #expect(throws: GoldenError.self) { try other.check() }
  }
}
