import Flow
import Foundation
import Layers
import Models
import Recipe
import Tensors
import TestSupport
import Testing

@Suite struct TextDiTTests {
  static let config: TextDiTConfig = {
    var config = TextDiTConfig()
    (config.size, config.patch, config.width, config.depth) = (8, 2, 16, 2)
    (config.heads, config.textWidth, config.hasTargetTime) = (2, 6, true)
    return config
  }()
  static let stemmed: TextDiTConfig = {
    var stemmed = config
    stemmed.stem = 5
    return stemmed
  }()
  static let weights = Scope.declare { TextDiT($0, config) }

  @Test func declaresItsWeights() {
    func linear(_ name: String, _ input: Int, _ output: Int, layers: Bool = false) -> [String] {
      let before = layers ? "2, " : ""
      return ["\(name).weight [\(before)\(output), \(input)]", "\(name).bias [\(before)\(output)]"]
    }
    var expected = linear("image_input", 12, 16) + linear("output", 16, 12)
    expected += linear("modulation", 16, 32)
    for name in ["text", "pooled_text"] {
      expected += linear("\(name).input", 6, 16) + linear("\(name).output", 16, 16)
    }
    for name in ["time_embed", "time_embed_2"] {
      expected += linear("\(name).linear_1", 256, 16) + linear("\(name).linear_2", 16, 16)
    }
    for map in ["to_q", "to_k", "to_v", "add_k_proj", "add_v_proj", "to_out"] {
      expected += linear("blocks.*.attn.\(map)", 16, 16, layers: true)
    }
    expected += ["norm_q", "norm_k", "norm_added_k"].map { "blocks.*.attn.\($0).weight [2, 8]" }
    expected += linear("blocks.*.modulation", 16, 96, layers: true)
    expected += linear("blocks.*.mlp.input", 16, 64, layers: true)
    expected += linear("blocks.*.mlp.output", 64, 16, layers: true)
    #expect(Self.weights.listing.sorted() == expected.sorted())

    expected.removeAll { $0.hasPrefix("image_input") || $0.hasPrefix("output") }
    expected += linear("image_input", 20, 16) + linear("output", 16, 20)
    for (name, input, output) in [("input", 3, 5), ("join", 10, 5), ("output", 5, 3)] {
      expected += [
        "stem.\(name).weight [\(output), \(input), 3, 3]", "stem.\(name).bias [\(output)]",
      ]
    }
    expected += linear("stem.modulation", 16, 10)
    let declared = Scope.declare { TextDiT($0, Self.stemmed) }
    #expect(declared.listing.sorted() == expected.sorted())
  }

  @Test func everyLinearMapCanHaveLoRA() {
    let adapted = Scope.declare(lora: LoRA(rank: 1, alpha: 1)) { TextDiT($0, Self.config) }
    let matrices = Self.weights.pairs.filter { $0.value.isMatrix }
    #expect(adapted.names.count { $0.hasSuffix(".lora_A.weight") } == matrices.count)
  }

  @Test(
    "However the blocks are run, values and gradients are the same, and no gradient is 0",
    arguments: [Self.config, Self.stemmed])
  func executions(given config: TextDiTConfig) throws {
    let declared = Scope.declare { TextDiT($0, config) }
    let given = Self.inputs().merging(declared.random().prefixed("weights"))
    let gradients = try expectEqualExecutions(given) {
      weights, inputs, execution in
      var config = config
      config.execution = execution
      return Self.run(weights, inputs, config)
    }
    for (name, gradient) in gradients.pairs {
      let layers = name.contains("*") ? [gradient.row(0), gradient.row(1)] : [gradient]
      for (number, layer) in layers.enumerated() {
        #expect(
          layer.values.contains { abs($0) > 1e-7 }, "the gradient of \(name), \(number)")
      }
    }
  }

  @Test("Padding has no part, however it is named")
  func padding() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      let weights = inputs.group("weights")
      func with(_ changes: (inout Named<Tensor>) -> Void) -> Tensor {
        var changed = inputs
        changes(&changed)
        return Self.run(weights, changed)
      }
      let other = inputs["text_mask"]!.expanded([2]).cast(to: .float32)
      return Named([
        ("whole numbers", Self.run(weights, inputs)),
        ("bools", with { $0["text_mask"] = inputs["text_mask"]!.greater(0) }),
        ("counts", with { $0["text_mask"] = inputs["text_mask"]!.sum([1]) }),
        ("other padding", with { $0["text"] = inputs["text"]! + (1 - other) * 3 }),
        ("no mask", with { $0["text_mask"] = nil }),
      ])
    }
    let expected = results["whole numbers"]!
    #expect(expected.shape == [2, 4, 6, 3])
    for name in ["bools", "counts", "other padding"] {
      expectClose(results[name]!, expected, relative: 1e-5, absolute: 1e-5, name)
    }
    // The first sample has no padding.
    expectClose(
      results["no mask"]!.row(0), expected.row(0), relative: 1e-5, absolute: 1e-5)
    #expect(results["no mask"]!.row(1) != expected.row(1))
  }

  @Test("Each token of the text matters, and not only their mean")
  func text() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      let weights = inputs.group("weights")
      var all = Named([("as given", Self.run(weights, inputs))])
      for token in 0..<3 {
        var changed = inputs
        let place = Tensor.iota([1, 5, 1], axis: 1, .int32)
        let isToken = place.equal(.constant(Double(token), .int32)).cast(to: .float32)
        // A norm has no part of a shift by the same number, so that one feature is moved.
        let feature = Tensor.iota([1, 1, 6], axis: 2, .int32)
          .equal(.constant(2, .int32)).cast(to: .float32)
        changed["text"] = inputs["text"]! + isToken * feature
        all["token \(token)"] = Self.run(weights, changed)
      }
      // Blocks that see the mean alone: the text's tokens are equal.
      var ofMean = weights
      for map in ["add_k_proj", "add_v_proj"] {
        for part in ["weight", "bias"] {
          let name = "blocks.*.attn.\(map).\(part)"
          ofMean[name] = weights[name]! * 0
        }
      }
      all["mean alone"] = Self.run(ofMean, inputs)
      return all
    }
    for (name, value) in results.pairs where name != "as given" {
      for row in 0..<2 {
        #expect(value.row(row) != results["as given"]!.row(row), "\(name), row \(row)")
      }
    }
  }

  @Test("At t = tt, and without its second embedder, it is the ordinary network")
  func equalTimes() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      var config = Self.config
      config.hasTargetTime = false
      let weights = inputs.group("weights")
      let ordinary = weights.filter { !$0.hasPrefix("time_embed_2") }
      func with(_ t: Tensor, _ tt: Tensor) -> Tensor {
        var changed = inputs
        (changed["t"], changed["tt"]) = (t, tt)
        return Self.run(weights, changed)
      }
      let (t, tt) = (inputs["t"]!, inputs["tt"]!)
      return Named([
        ("equal", with(t, t)), ("ordinary", Self.run(ordinary, inputs, config)),
        ("apart", with(t, tt)), ("twin", with(-t, -tt)), ("twin, equal", with(-t, -t)),
      ])
    }
    #expect(results["equal"] == results["ordinary"])
    for row in 0..<2 {
      let equal = results["equal"]!.row(row)
      #expect(results["apart"]!.row(row) != equal)
      #expect(results["twin"]!.row(row) != results["apart"]!.row(row))
      #expect(results["twin, equal"]!.row(row) != equal)
    }
  }

  @Test("What each pixel is reaches its own output past the blocks")
  func stem() throws {
    let declared = Scope.declare { TextDiT($0, Self.stemmed) }
    let given = Self.inputs().merging(declared.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      // Without the blocks' share, an output depends on the 7 × 7 pixels around it, of any patch.
      var weights = inputs.group("weights")
      for part in ["weight", "bias"] { weights["output.\(part)"] = weights["output.\(part)"]! * 0 }
      var changed = inputs
      let isPixel = [1, 1].enumerated().map { axis, place in
        Tensor.iota([1, 4, 6, 1], axis: axis + 1, .int32)
          .equal(.constant(Double(place), .int32)).cast(to: .float32)
      }
      changed["x"] = inputs["x"]! + isPixel[0] * isPixel[1]
      let difference =
        Self.run(weights, changed, Self.stemmed) - Self.run(weights, inputs, Self.stemmed)
      return Named([("difference", (difference * difference).sum([0, 3]))])
    }
    let difference = results["difference"]!
    #expect(difference.shape == [4, 6])
    for row in 0..<4 {
      for column in 0..<6 {
        let isNear = column <= 4
        #expect((difference.values[row * 6 + column] > 0) == isNear, "\(row), \(column)")
      }
    }
  }

  @Test(arguments: [Self.config, Self.stemmed])
  func halfPrecisionStaysHalf(config: TextDiTConfig) throws {
    let declared = Scope.declare { TextDiT($0, config) }
    let given = Self.inputs().merging(declared.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      var half = inputs
      half["x"] = inputs["x"]!.cast(to: .bfloat16)
      let weights = inputs.group("weights")
      return Named([
        ("half", Self.run(weights, half, config)), ("single", Self.run(weights, inputs, config)),
      ])
    }
    #expect(results["half"]!.dtype == .bfloat16)
    expectClose(results["half"]!.values, results["single"]!.values, relative: 0.1, absolute: 0.3)
  }

  /// The network with preconditioning is the one without it and a multiple of its input: the noise at
  /// time 1, nothing in the middle, and the input's opposite at time 0, whichever sign the time has.
  @Test func preconditioningAddsAMultipleOfTheInput() throws {
    var conditioned = Self.stemmed
    conditioned.preconditioning = true
    let declared = Scope.declare { TextDiT($0, Self.stemmed) }
    let given = Self.inputs().merging(declared.random().prefixed("weights"))
    for (time, multiple) in [
      (1, 1), (-1, 1), (0.5, 0), (0, -1), (0.8, 0.6 / 0.68), (-0.2, -0.6 / 0.68),
    ] {
      let results = try evaluate(given) { inputs in
        var inputs = inputs
        inputs["t"] = inputs["t"]! * 0 + time
        let weights = inputs.group("weights")
        return Named([
          ("conditioned", Self.run(weights, inputs, conditioned)),
          ("sum", Self.run(weights, inputs, Self.stemmed) + multiple * inputs["x"]!),
        ])
      }
      expectClose(results["conditioned"]!, results["sum"]!, relative: 1e-5, absolute: 1e-5)
    }
  }

  @Test func configsAreReadAsWritten() throws {
    for space in TextDiTConfig.Space.allCases {
      var config = Self.stemmed
      (config.space, config.execution, config.preconditioning) = (space, .scanned, true)
      let json = try JSONEncoder().encode(config)
      #expect(try JSONDecoder().decode(TextDiTConfig.self, from: json) == config)
      #expect(config.worksOnLatents == (space == .latents))
    }
  }

  @Test(arguments: [
    ("patch: 3", "it must divide the size"), ("heads: 5", "multiple of 4 features"),
    ("heads: 96", "multiple of 4 features"), ("channels: 4", "only latents have other numbers"),
    ("space: voxels", "`space` is \"voxels\""), ("width: 190", "multiple of 4"),
  ])
  func sizesThatDoNotFitAreNamed(setting: String, expected: String) {
    let error = #expect(throws: (any Error).self) {
      try RecipeDecoder.decode(
        ModelConfig.self, yaml: "{kind: text-dit, \(setting)}", file: "network.yaml")
    }
    #expect("\(error!)".contains(expected), "\(error!)")
  }

  private static func inputs() -> Named<Numbers> {
    Named([
      ("x", .random([2, 4, 6, 3], seed: 5, .float32)),
      ("t", Numbers([0.9, 0.5], nil, .float32)), ("tt", Numbers([0.3, 0.75], nil, .float32)),
      ("text", .random([2, 5, 6], seed: 6, .float32)),
      ("text_mask", Numbers([1, 1, 1, 1, 1, 1, 1, 1, 0, 0], [2, 5], .int32)),
    ])
  }

  private static func run(
    _ weights: Named<Tensor>, _ inputs: Named<Tensor>, _ config: TextDiTConfig = config
  ) -> Tensor {
    Scope.bind(weights) { TextDiT($0, config) }(
      inputs["x"]!, time: inputs["t"]!, target: inputs["tt"]!,
      condition: inputs.filter { $0.hasPrefix("text") })
  }
}
