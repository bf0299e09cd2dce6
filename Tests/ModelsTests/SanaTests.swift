import Flow
import Layers
import Models
import Tensors
import TestSupport
import Testing

@Suite struct SanaTests {
  static let config: SanaConfig = {
    var config = SanaConfig()
    (config.channels, config.outputChannels) = (3, 3)
    (config.heads, config.headWidth, config.depth) = (1, 32, 2)
    (config.crossHeads, config.crossHeadWidth, config.crossWidth) = (2, 12, 32)
    (config.textWidth, config.sampleSize, config.hasTargetTime) = (6, 4, true)
    return config
  }()
  static let weights = Scope.declare { Sana($0, config) }

  /// SANA-Sprint's network.
  static let sprint: SanaConfig = {
    var config = Self.config
    (config.hasTargetTime, config.hasGuidance, config.hasQueryNorms) = (false, true, true)
    return config
  }()

  /// SANA 0.6 B.
  static let small: SanaConfig = {
    var config = SanaConfig()
    (config.heads, config.depth, config.crossWidth) = (36, 28, 1152)
    (config.crossHeads, config.crossHeadWidth) = (16, 72)
    config.execution = .scanned
    return config
  }()

  @Test func declaresThePublishedWeights() {
    var expected: [String] = []
    func linear(_ name: String, _ input: Int, _ output: Int, layers: String = "") {
      expected += [
        "\(name).weight [\(layers)\(output), \(input)]", "\(name).bias [\(layers)\(output)]",
      ]
    }
    expected += ["patch_embed.proj.weight [32, 3, 1, 1]", "patch_embed.proj.bias [32]"]
    for name in ["time_embed", "time_embed_2"] {
      linear("\(name).emb.timestep_embedder.linear_1", 256, 32)
      linear("\(name).emb.timestep_embedder.linear_2", 32, 32)
      linear("\(name).linear", 32, 192)
    }
    linear("caption_projection.linear_1", 6, 32)
    linear("caption_projection.linear_2", 32, 32)
    linear("proj_out", 32, 3)
    expected += ["caption_norm.weight [32]", "scale_shift_table [2, 32]"]
    let block = "transformer_blocks.*"
    for map in ["to_q", "to_k", "to_v"] {
      expected.append("\(block).attn1.\(map).weight [2, 32, 32]")
      linear("\(block).attn2.\(map)", 32, 24, layers: "2, ")
    }
    linear("\(block).attn1.to_out.0", 32, 32, layers: "2, ")
    linear("\(block).attn2.to_out.0", 24, 32, layers: "2, ")
    linear("\(block).ff.conv_inverted", 32, 160, layers: "2, ")
    expected += [
      "\(block).ff.conv_depth.weight [2, 160, 1, 3, 3]", "\(block).ff.conv_depth.bias [2, 160]",
      "\(block).ff.conv_point.weight [2, 32, 80]", "\(block).scale_shift_table [2, 6, 32]",
    ]
    #expect(Self.weights.listing.sorted() == expected.sorted())
  }

  @Test(
    "Networks of the published sizes have as many weights as the published ones",
    arguments: [(SanaConfig(), 1_604_462_752), (small, 591_747_872)])
  func sizes(_ config: SanaConfig, _ count: Int) {
    #expect(Scope.declare { Sana($0, config) }.elements == count)
  }

  @Test func theMapsOfTheMixFFNAreConvolutionsOnDisk() {
    let shapes = Self.weights.mapValues(\.shape)
    for (name, disk) in [
      ("conv_inverted.weight", [160, 32, 1, 1]), ("conv_point.weight", [32, 80, 1, 1]),
      ("conv_inverted.bias", [160]), ("conv_depth.weight", [160, 1, 3, 3]),
    ] {
      let pieces = Self.config.names.pieces(of: "transformer_blocks.*.ff.\(name)", shapes: shapes)
      #expect(pieces.map(\.diskShape) == [disk, disk])
      #expect(pieces[1].disk == "transformer_blocks.1.ff.\(name)")
    }
  }

  @Test func everyLinearMapCanHaveLoRA() {
    let adapted = Scope.declare(lora: LoRA(rank: 1, alpha: 1)) { Sana($0, Self.config) }
    // On disk the factors of a convolution are such, as PEFT has them.
    let pieces = ModelConfig(Self.config).loraNames.pieces(
      of: "transformer_blocks.*.ff.conv_point.lora_A.weight", shapes: adapted.mapValues(\.shape))
    #expect(pieces.map(\.diskShape) == [[1, 80, 1, 1], [1, 80, 1, 1]])
    let matrices = Self.weights.values.count { $0.isMatrix }
    #expect(adapted.names.count { $0.hasSuffix(".lora_A.weight") } == matrices)
    #expect(adapted["transformer_blocks.*.ff.conv_point.lora_A.weight"]?.shape == [2, 1, 80])
  }

  @Test("However the blocks are run, values and gradients are the same, and no gradient is 0")
  func executions() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let gradients = try expectEqualExecutions(given, relative: 1e-3) {
      weights, inputs, execution in
      var config = Self.config
      config.execution = execution
      return Self.run(weights, inputs, config)
    }
    // A shift of all keys does not change the weights of attention to the text.
    for (name, gradient) in gradients.pairs where !name.hasSuffix("attn2.to_k.bias") {
      #expect(gradient.values.contains { abs($0) > 1e-7 }, "the gradient of \(name)")
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
      let padding = 1 - inputs["text_mask"]!.expanded([2]).cast(to: .float32)
      return Named([
        ("whole numbers", Self.run(weights, inputs)),
        ("bools", with { $0["text_mask"] = inputs["text_mask"]!.greater(0) }),
        ("counts", with { $0["text_mask"] = inputs["text_mask"]!.sum([1]) }),
        ("other padding", with { $0["text"] = inputs["text"]! + padding * 3 }),
        ("no mask", with { $0["text_mask"] = nil }),
      ])
    }
    let expected = results["whole numbers"]!
    for name in ["bools", "counts", "other padding"] {
      expectClose(results[name]!, expected, relative: 1e-5, absolute: 1e-5, name)
    }
    #expect(results["no mask"]!.row(0) != expected.row(0))
  }

  @Test("With equal times it is the network without target times, and the twin is another point")
  func targetTimes() throws {
    let given = Self.inputs().merging(Self.weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      let weights = inputs.group("weights")
      var single = Self.config
      single.hasTargetTime = false
      func at(_ t: Tensor, _ tt: Tensor) -> Tensor {
        var changed = inputs
        (changed["t"], changed["tt"]) = (t, tt)
        return Self.run(weights, changed)
      }
      let t = inputs["t"]!.abs()
      var plain = inputs
      plain["t"] = t
      return Named([
        ("plain", Self.run(weights.filter { !$0.hasPrefix("time_embed_2") }, plain, single)),
        ("equal", at(t, t)), ("target", at(t, t * 0)), ("twin", at(-t, -t)),
        ("twin target", at(-t, t * 0)),
      ])
    }
    #expect(results["plain"] == results["equal"])
    let different = ["equal", "target", "twin", "twin target"].map { results[$0]!.values }
    #expect(Set(different).count == 4)
  }

  @Test("SANA-Sprint embeds the scale of guidance, 4.5 where none is given, and the flow's times")
  func guidance() throws {
    let weights = Scope.declare { Sana($0, Self.sprint) }
    #expect(weights["time_embed.guidance_embedder.linear_1.weight"]?.shape == [32, 256])
    #expect(weights["transformer_blocks.*.attn2.norm_k.weight"]?.shape == [2, 24])
    let given = Self.inputs().merging(weights.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      func with(_ scale: Double?) -> Tensor {
        var changed = inputs
        changed["guidance"] = scale.map { inputs["t"]! * 0 + $0 }
        return Self.run(inputs.group("weights"), changed, Self.sprint)
      }
      return Named([("none", with(nil)), ("4.5", with(4.5)), ("2", with(2))])
    }
    #expect(results["none"] == results["4.5"] && results["2"] != results["none"])
  }

  @Test("Of an output with variances the velocity is the first half")
  func variances() throws {
    var config = Self.config
    config.outputChannels = 6
    let (specs, wide) = (Scope.declare { Sana($0, config) }, config)
    let given = Self.inputs().merging(specs.random().prefixed("weights"))
    let results = try evaluate(given) { inputs in
      var own = inputs.group("weights")
      let both = Self.run(own, inputs, wide)
      for name in ["proj_out.weight", "proj_out.bias"] { own[name] = own[name]![0..<3] }
      return Named([("both", both), ("one", Self.run(own, inputs))])
    }
    expectClose(results["both"]!, results["one"]!, relative: 1e-5, absolute: 1e-5)
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
    let (half, single) = (results["half"]!.values, results["single"]!.values)
    let difference = zip(half, single).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    let norm = single.reduce(0) { $0 + $1 * $1 }
    #expect((difference / norm).squareRoot() < 0.1)
  }

  private static func inputs() -> Named<Numbers> {
    Named([
      ("x", .random([2, 4, 6, 3], seed: 5, .float32)),
      ("t", Numbers([0.9, -0.5], nil, .float32)),
      ("tt", Numbers([0.3, -0.75], nil, .float32)),
      ("text", .random([2, 5, 6], seed: 6, .float32)),
      ("text_mask", Numbers([2, 5], .int32) { $0[1] < 3 + 2 * $0[0] ? 1 : 0 }),
    ])
  }

  private static func run(
    _ weights: Named<Tensor>, _ inputs: Named<Tensor>, _ config: SanaConfig = config
  ) -> Tensor {
    Scope.bind(weights) { Sana($0, config) }(
      inputs["x"]!, time: inputs["t"]!, target: inputs["tt"]!,
      condition: inputs.filter { $0.hasPrefix("text") || $0 == "guidance" })
  }
}
