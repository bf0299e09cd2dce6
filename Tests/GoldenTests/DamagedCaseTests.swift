import Foundation
import Testing

@testable import Golden

/// Damaged cases end with an error or as different, and never with a crash.
@Suite struct DamagedCaseTests {
  /// One small case of each kind.
  private static let cases = [
    "method_full__o2_barron_batch4", "method_lora__p11111_o2_ema0.99",
    "method_tutorial__utf1_o2_enr0.8_ema0", "sampler__lora",
  ]

  private func copy(_ name: String) throws -> CaseCopy {
    let copy = try CaseCopy(name)
    if name.hasPrefix("sampler") {
      // Two runs are enough, the second with fresh noise.
      try copy.editSettings { settings in
        let runs = try #require(settings["runs"] as? [[String: Any]])
        let noisy = try #require(
          runs.first { $0["stochast_ratio"] as? Double == 1 && $0["sampling_steps"] as? Int == 2 })
        settings["runs"] = [runs[0], noisy]
      }
    }
    return copy
  }

  private func value(_ json: String) throws -> Any {
    try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
  }

  @Test(arguments: cases) func missingInputsAreNamed(_ name: String) throws {
    let original = try copy(name)
    for input in try original.names(.inputs) {
      let damaged = try copy(name)
      try damaged.edit(.inputs) { $0[input] = nil }
      #expect(throws: GoldenError.self, "without \(input)") { try damaged.check() }
    }
  }

  @Test(arguments: cases) func inputsOfOtherShapesAreNamed(_ name: String) throws {
    let original = try copy(name)
    for input in try original.names(.inputs) {
      // The noise of steps may be for more of them than there are.
      for change in [\CaseCopy.Array.shorter, \.deeper] where input != "noise" || change == \.deeper
      {
        let damaged = try copy(name)
        try damaged.edit(.inputs) { $0[input] = try #require($0[input])[keyPath: change] }
        #expect(throws: GoldenError.self, "\(input)") { try damaged.check() }
      }
    }
  }

  @Test(arguments: cases, [Float.nan, .infinity, -1e38]) func inputsOfOtherNumbersAreComputed(
    _ name: String, _ number: Float
  ) throws {
    let damaged = try copy(name)
    try damaged.edit(.inputs) { arrays in
      for input in arrays.keys where !input.hasPrefix("model") {
        arrays[input] = try #require(arrays[input]).filled(with: number)
      }
    }
    #expect(try damaged.check().contains { $0.share > 1 })
  }

  /// Arrays that nobody asks for change nothing.
  @Test(arguments: cases) func furtherArraysAreLeftAlone(_ name: String) throws {
    let more = try copy(name)
    for file in [CaseCopy.File.inputs, .expected] {
      try more.edit(file) { arrays in
        let array = CaseCopy.Array(type: "F32", shape: [3], bytes: Data(count: 12))
        for group in ["model", "model.base", "model.lora", "step0", "step0.draw", "0000", "grad"] {
          arrays["\(group).more"] = array
        }
        if arrays["ema.fc1.bias"] != nil { arrays["ema.more"] = array }
      }
    }
    let compared = try more.check().filter { !$0.name.hasPrefix("0001") }
    #expect(!compared.isEmpty && compared.allSatisfy { $0.share <= 1 })
  }

  @Test(arguments: cases) func outputsOfOtherShapesDiffer(_ name: String) throws {
    for change in [\CaseCopy.Array.shorter, \.deeper] {
      let damaged = try copy(name)
      try damaged.edit(.expected) { arrays in
        for output in arrays.keys where !output.contains(".mask.") {
          arrays[output] = arrays[output]?[keyPath: change]
        }
      }
      let comparisons = try damaged.check()
      #expect(name.hasPrefix("sampler") || !comparisons.isEmpty)
      if change == \.shorter { #expect(comparisons.contains { $0.share > 1 }) }
    }
    let empty = try copy(name)
    try empty.edit(.expected) { arrays in arrays = arrays.filter { $0.key.contains(".mask.") } }
    #expect(try empty.check().isEmpty)
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity, 1e38, 2, 0.5, -1])
  func masksHoldNothingButZerosAndOnes(_ number: Float) throws {
    let damaged = try copy(Self.cases[0])
    try damaged.edit(.expected) {
      $0["step0.mask.any"] = $0["step0.mask.any"]?.filled(with: number)
    }
    let error = #expect(throws: GoldenError.self) { try damaged.check() }
    #expect(error?.description.contains("step0.mask.any") == true)
  }

  @Test func masksAreTheRowsInTheirOrder() throws {
    for change in [\CaseCopy.Array.shorter, \.deeper] {
      let damaged = try copy(Self.cases[0])
      try damaged.edit(.expected) {
        $0["step0.mask.mul"] = $0["step0.mask.mul"]?[keyPath: change]
      }
      if change == \.shorter {
        #expect(throws: GoldenError.self) { try damaged.check() }
      } else {
        #expect(try damaged.check().allSatisfy { $0.share <= 1 })
      }
    }
    let swapped = try copy(Self.cases[0])
    try swapped.edit(.expected) { arrays in
      (arrays["step0.mask.e2e"], arrays["step0.mask.adv"]) = (
        arrays["step0.mask.adv"], arrays["step0.mask.e2e"]
      )
    }
    let error = #expect(throws: GoldenError.self) { try swapped.check() }
    #expect(error?.description.contains("is not the rows from 0") == true)
  }

  @Test(
    arguments: [
      ("steps", "0", "steps"), ("steps", "-1", "steps"), ("steps", "1000000000", "steps"),
      ("steps", "1e30", "JSON"), ("steps", "\"many\"", "steps"), ("steps", "2", "no step1.x"),
      ("kind", "1", "JSON"), ("model", "[1]", "model"), ("method", "null", "no method"),
      ("method.estimate_order", "-1", "estimate_order"),
      ("method.estimate_order", "1000000", "estimate_order"),
      ("method.ema_decay_rate", "1.5", "ema_decay_rate"),
      ("method.ema_decay_rate", "-1", "0.0 to 1.0"),
      ("method.consistc_ratio", "-0.5", "consistc_ratio"),
      ("method.enhanced_ratio", "-1", "enhanced_ratio"),
      ("method.dist_match_cof", "-1e300", "dist_match_cof"),
      ("method.enhanced_range", "[1]", "enhanced_range"),
      ("method.time_dist_ctrl", "[1, 0, 1]", "time_dist_ctrl"),
      ("method.loss_func_type", "{\"type\": \"barron_reweighting\", \"c\": 0}", "loss_func_type"),
      ("method.loss_func_type", "{\"type\": \"l3\"}", "loss_func_type"),
      ("method.unknown", "1", "unknown"),
    ])
  func impossibleSettingsAreNamed(key: String, json: String, hint: String) throws {
    let damaged = try copy(Self.cases[0])
    let value = try value(json)
    try damaged.editSettings { settings in
      let keys = key.split(separator: ".").map(String.init)
      if keys.count == 1 {
        settings[key] = value
      } else {
        var inner = try #require(settings[keys[0]] as? [String: Any])
        inner[keys[1]] = value
        settings[keys[0]] = inner
      }
    }
    let error = #expect(throws: GoldenError.self) { try damaged.check() }
    #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
  }

  @Test(
    arguments: [
      ("sampling_steps", "0"), ("sampling_steps", "1000000"), ("sampling_order", "3"),
      ("sampling_style", "\"none\""), ("stochast_ratio", "2"), ("stochast_ratio", "\"none\""),
      ("extrapol_ratio", "-1"), ("time_dist_ctrl", "[1, -1, 1]"), ("rfba_gap_steps", "[0.5, 0.5]"),
      ("rfba_gap_steps", "[0]"),
    ])
  func impossibleRunsAreNamed(key: String, json: String) throws {
    let damaged = try copy("sampler__lora")
    let value = try value(json)
    try damaged.editSettings { settings in
      var runs = try #require(settings["runs"] as? [[String: Any]])
      runs[1][key] = value
      settings["runs"] = runs
    }
    let error = #expect(throws: GoldenError.self) { try damaged.check() }
    #expect(error?.description.contains("run 1") == true || key == "stochast_ratio")
  }

  @Test func adaptersHaveARank() throws {
    let damaged = try copy("method_lora__p10000_o0")
    try damaged.editSettings { settings in
      var model = try #require(settings["model"] as? [String: Any])
      model["lora_r"] = 0
      settings["model"] = model
    }
    #expect(throws: GoldenError.self) { try damaged.check() }
  }

  /// Files cut short, text that is no JSON, and sizes whose product is beyond counting.
  @Test(arguments: cases) func brokenFilesAreErrors(_ name: String) throws {
    for file in ["config.json", "inputs.safetensors", "expected.safetensors"] {
      for length in [0, 7, 100] {
        let damaged = try copy(name)
        let place = URL(fileURLWithPath: "\(damaged.path)/\(file)")
        try Data(contentsOf: place).prefix(length).write(to: place)
        #expect(throws: (any Error).self) { try damaged.check() }
      }
      let damaged = try copy(name)
      try FileManager.default.removeItem(atPath: "\(damaged.path)/\(file)")
      #expect(throws: (any Error).self) { try damaged.check() }
    }
    let huge = try copy(name)
    try huge.edit(.inputs) { arrays in
      arrays["more"] = .init(type: "F32", shape: [1 << 40, 1 << 40, 0], bytes: Data())
    }
    _ = try? huge.check()
  }

  /// Cases need no draws that their settings do not use.
  @Test(arguments: [
    ("method_full__o0_barron_consistency0_ema0.99_2steps", ["tt_rand", "tmin_rand"]),
    ("method_lora__p01000_o0_flowmatching", ["tt_rand"]),
    ("method_lora__p10000_o0", ["tt_rand", "tmin_rand"]),
  ])
  func unusedDrawsMayBeMissing(name: String, draws: [String]) throws {
    let copy = try CaseCopy(name)
    try copy.edit(.inputs) { arrays in
      let names = arrays.keys.filter { name in draws.contains { name.hasSuffix(".draw.\($0)") } }
      try #require(!names.isEmpty)
      for name in names { arrays[name] = nil }
    }
    let comparisons = try copy.check()
    #expect(!comparisons.isEmpty && comparisons.allSatisfy { $0.share <= 1 })
  }

  /// Without a weight the rectification takes no draws, and without twin losses neither.
  @Test(
    arguments: [
      ("method_full__o2_barron_batch4", "dist_match_cof", "0"),
      ("method_tutorial__utf1_o2_enr0.8_ema0", "using_twinflow", "false"),
    ])
  func rectificationDrawsMayBeMissing(name: String, key: String, json: String) throws {
    let copy = try CaseCopy(name)
    let value = try value(json)
    try copy.editSettings { settings in
      var method = try #require(settings["method"] as? [String: Any])
      method[key] = value
      settings["method"] = method
    }
    try copy.edit(.inputs) { arrays in arrays = arrays.filter { !$0.key.contains(".draw.dm_") } }
    let comparisons = try copy.check()
    #expect(comparisons.contains { $0.name == "step0.x_t" && $0.share <= 1 })
    #expect(comparisons.contains { $0.name == "step0.loss" && $0.share > 1 })
  }
}
