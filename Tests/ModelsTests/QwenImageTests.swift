import Flow
import Layers
import Models
import Tensors
import TestSupport
import Testing

@Suite struct QwenImageTests {
  static let config: QwenImageConfig = {
    var config = QwenImageConfig()
    (config.inputFeatures, config.outputChannels, config.depth) = (8, 2, 2)
    (config.heads, config.headWidth, config.rotaryAxes, config.textWidth) = (2, 8, [2, 2, 4], 6)
    (config.hasTargetTime, config.execution) = (true, .unrolled)
    return config
  }()
  static let weights = Scope.declare { QwenImage($0, config) }

  @Test func declaresThePublishedWeights() {
    func linear(_ name: String, _ input: Int, _ output: Int, layers: Bool = false) -> [String] {
      let before = layers ? "2, " : ""
      return ["\(name).weight [\(before)\(output), \(input)]", "\(name).bias [\(before)\(output)]"]
    }
    var expected = ["txt_norm.weight [6]"]
    for name in ["time_text_embed", "time_text_embed_2"] {
      expected += linear("\(name).timestep_embedder.linear_1", 256, 16)
      expected += linear("\(name).timestep_embedder.linear_2", 16, 16)
    }
    expected += linear("img_in", 8, 16) + linear("txt_in", 6, 16)
    expected += linear("norm_out.linear", 16, 32) + linear("proj_out", 16, 8)
    let block = "transformer_blocks.*"
    for stream in ["img", "txt"] {
      expected += linear("\(block).\(stream)_mod.1", 16, 96, layers: true)
      expected += linear("\(block).\(stream)_mlp.net.0.proj", 16, 64, layers: true)
      expected += linear("\(block).\(stream)_mlp.net.2", 64, 16, layers: true)
    }
    for map in [
      "to_q", "to_k", "to_v", "add_q_proj", "add_k_proj", "add_v_proj", "to_out.0", "to_add_out",
    ] {
      expected += linear("\(block).attn.\(map)", 16, 16, layers: true)
    }
    expected += ["norm_q", "norm_k", "norm_added_q", "norm_added_k"].map {
      "\(block).attn.\($0).weight [2, 8]"
    }
    #expect(Self.weights.listing.sorted() == expected.sorted())
  }

  @Test("The network of the published size has as many weights as the published one")
  func size() {
    let weights = Scope.declare { QwenImage($0, QwenImageConfig()) }
    #expect(weights.elements == 20_430_401_088)
    #expect(weights.names.reduce(0) { $0 + ($1.contains("*") ? 60 : 1) } == 1933)
  }

  @Test func everyLinearMapCanHaveLoRA() {
    let adapted = Scope.declare(lora: LoRA(rank: 1, alpha: 1)) { QwenImage($0, Self.config) }
    let matrices = Self.weights.pairs.filter { name, spec in
      spec.shape.rank - (name.contains("*") ? 1 : 0) == 2
    }
    #expect(adapted.names.count { $0.hasSuffix(".lora_A.weight") } == matrices.count)
    #expect(adapted["transformer_blocks.*.attn.to_out.0.lora_A.weight"]?.shape == [2, 1, 16])
  }

  @Test("However the blocks are run, values and gradients are the same, and no gradient is 0")
  func executions() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let gradients = try expectEqualExecutions(given) {
      weights, inputs, execution in
      var config = Self.config
      config.execution = execution
      return Self.run(weights, inputs, config)
    }
    // Nothing looks at what the last block makes of the text.
    let ofText = ["add_q_proj", "to_add_out", "norm_added_q", "txt_mlp"]
    for (name, gradient) in gradients.pairs {
      let layers = name.contains("*") ? [gradient.row(0), gradient.row(1)] : [gradient]
      for (number, layer) in layers.enumerated() {
        let isUnused = number == 1 && ofText.contains { name.contains(".\($0).") }
        #expect(
          layer.values.contains { abs($0) > 1e-7 } != isUnused, "the gradient of \(name), \(number)"
        )
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
    for name in ["bools", "counts", "other padding"] {
      expectClose(results[name]!, expected, relative: 1e-5, absolute: 1e-5, name)
    }
    // The first sample has no padding.
    expectClose(
      results["no mask"]!.row(0), expected.row(0), relative: 1e-5, absolute: 1e-5)
    #expect(results["no mask"]!.row(1) != expected.row(1))
  }

  @Test("At t = tt, and without its second embedder, it is the ordinary network")
  func equalTimes() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      var config = Self.config
      config.hasTargetTime = false
      let weights = inputs.group("weights")
      let ordinary = weights.filter { !$0.hasPrefix("time_text_embed_2") }
      var same = inputs
      same["tt"] = inputs["t"]
      return Named([
        ("equal", Self.run(weights, same)), ("ordinary", Self.run(ordinary, inputs, config)),
        ("apart", Self.run(weights, inputs)),
      ])
    }
    #expect(results["equal"] == results["ordinary"])
    for row in 0..<2 { #expect(results["equal"]!.row(row) != results["apart"]!.row(row)) }
  }

  @Test func referencesAreSeen() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      var clean = Self.config
      clean.hasCleanReferences = true
      let weights = inputs.group("weights")
      var none = inputs
      (none["reference.0"], none["reference.1"]) = (nil, nil)
      var swapped = inputs
      (swapped["reference.0"], swapped["reference.1"]) = (
        inputs["reference.1"], inputs["reference.0"]
      )
      return Named([
        ("both", Self.run(weights, inputs)), ("swapped", Self.run(weights, swapped)),
        ("none", Self.run(weights, none)), ("clean", Self.run(weights, inputs, clean)),
        ("clean, none", Self.run(weights, none, clean)),
      ])
    }
    for name in ["swapped", "none", "clean"] {
      for row in 0..<2 {
        #expect(results[name]!.row(row) != results["both"]!.row(row), "\(name), row \(row)")
      }
    }
    #expect(results["clean, none"] == results["none"])
    #expect(results["both"]!.shape == [2, 4, 6, 2])
  }

  @Test func halfPrecisionStaysHalf() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      var half = inputs
      half["x"] = inputs["x"]!.cast(to: .bfloat16)
      let weights = inputs.group("weights")
      return Named([("half", Self.run(weights, half)), ("single", Self.run(weights, inputs))])
    }
    #expect(results["half"]!.dtype == .bfloat16)
    expectClose(results["half"]!.values, results["single"]!.values, relative: 0.1, absolute: 0.3)
  }

  @Test("The order within a packed token is channel, row, column")
  func packing() throws {
    let image = Numbers([1, 4, 2, 2], .float32) { place in
      Double(100 * place[3] + 10 * place[1] + place[2])
    }
    let results = try evaluate(Named([("image", image)])) { inputs in
      let tokens = inputs["image"]!.patchTokens(2)
      return Named([
        ("tokens", tokens), ("image", tokens.imageOfTokens(height: 4, width: 2, patch: 2)),
      ])
    }
    #expect(results["tokens"]!.shape == [1, 2, 8])
    #expect(results["tokens"]!.values[..<8] == [0, 1, 10, 11, 100, 101, 110, 111])
    #expect(results["image"] == image)
  }

  @Test("The program of a scanned stack has the same size whatever its depth")
  func depthsOfScannedStacks() {
    let sizes = [12, 60].map { depth in
      var config = Self.config
      (config.depth, config.execution) = (depth, .scanned)
      let weights = Scope.declare { QwenImage($0, config) }.types().prefixed("weights")
      let inputs = Self.inputs().mapValues(\.type)
      return Program(weights.merging(inputs)) { given in
        Named([("y", Self.run(given.group("weights"), given, config))])
      }.text.split(separator: "\n").count
    }
    #expect(sizes[0] == sizes[1])
  }

  private static func inputs() -> Named<Numbers> {
    Named([
      ("x", .random([2, 4, 6, 2], seed: 5, .float32)),
      ("t", Numbers([0.9, -0.5], nil, .float32)), ("tt", Numbers([0.3, -0.75], nil, .float32)),
      ("text", .random([2, 5, 6], seed: 6, .float32)),
      ("text_mask", Numbers([1, 1, 1, 1, 1, 1, 1, 1, 0, 0], [2, 5], .int32)),
      ("reference.0", .random([2, 2, 4, 2], seed: 7, .float32)),
      ("reference.1", .random([2, 2, 4, 2], seed: 8, .float32)),
    ])
  }

  private static func run(
    _ weights: Named<Tensor>, _ inputs: Named<Tensor>, _ config: QwenImageConfig = config
  ) -> Tensor {
    Scope.bind(weights) { QwenImage($0, config) }(
      inputs["x"]!, time: inputs["t"]!, target: inputs["tt"]!,
      condition: inputs.filter { $0.hasPrefix("text") || $0.hasPrefix("reference") })
  }
}
