import Layers
import Models
import Tensors
import TestSupport
import Testing
import Weights

@Suite struct AutoencoderKLTests {
  static let config: AutoencoderKLConfig = {
    var config = AutoencoderKLConfig()
    (config.widths, config.groups, config.latentChannels) = ([4, 8], 2, 2)
    (config.encoderAttention, config.decoderAttention) = ([1], [0])
    return config
  }()
  static let weights = Scope.declare { AutoencoderKL($0, config) }

  private func residual(_ path: String, _ input: Int, _ output: Int) -> [String] {
    let shortcut =
      input == output
      ? []
      : ["conv_shortcut.weight [\(output), \(input), 1, 1]", "conv_shortcut.bias [\(output)]"]
    let own =
      [
        "norm1.weight [\(input)]", "norm1.bias [\(input)]",
        "conv1.weight [\(output), \(input), 3, 3]", "conv1.bias [\(output)]",
        "norm2.weight [\(output)]", "norm2.bias [\(output)]",
        "conv2.weight [\(output), \(output), 3, 3]", "conv2.bias [\(output)]",
      ] + shortcut
    return own.map { "\(path).\($0)" }
  }

  private func attention(_ path: String, _ width: Int) -> [String] {
    ["group_norm.weight [\(width)]", "group_norm.bias [\(width)]"].map { "\(path).\($0)" }
      + ["to_q", "to_k", "to_v", "to_out.0"].flatMap {
        ["\(path).\($0).weight [\(width), \(width)]", "\(path).\($0).bias [\(width)]"]
      }
  }

  private func convolution(_ path: String, _ input: Int, _ output: Int, _ size: Int = 3) -> [String]
  {
    ["\(path).weight [\(output), \(input), \(size), \(size)]", "\(path).bias [\(output)]"]
  }

  @Test func declaresThePublishedWeights() {
    func middle(_ path: String) -> [String] {
      residual("\(path).resnets.0", 8, 8) + attention("\(path).attentions.0", 8)
        + residual("\(path).resnets.1", 8, 8)
    }
    func norm(_ width: Int, _ part: String) -> [String] {
      ["\(part).conv_norm_out.weight [\(width)]", "\(part).conv_norm_out.bias [\(width)]"]
    }
    var expected = convolution("encoder.conv_in", 3, 4)
    expected += residual("encoder.down_blocks.0.resnets.0", 4, 4)
    expected += convolution("encoder.down_blocks.0.downsamplers.0.conv", 4, 4)
    expected += residual("encoder.down_blocks.1.resnets.0", 4, 8)
    expected += attention("encoder.down_blocks.1.attentions.0", 8)
    expected += middle("encoder.mid_block") + norm(8, "encoder")
    expected += convolution("encoder.conv_out", 8, 4) + convolution("quant_conv", 4, 4, 1)
    expected += convolution("post_quant_conv", 2, 2, 1) + convolution("decoder.conv_in", 2, 8)
    expected += middle("decoder.mid_block")
    for block in 0..<2 {
      expected += residual("decoder.up_blocks.0.resnets.\(block)", 8, 8)
      expected += attention("decoder.up_blocks.0.attentions.\(block)", 8)
    }
    expected += convolution("decoder.up_blocks.0.upsamplers.0.conv", 8, 8)
    expected += residual("decoder.up_blocks.1.resnets.0", 8, 4)
    expected += residual("decoder.up_blocks.1.resnets.1", 4, 4)
    expected += norm(4, "decoder") + convolution("decoder.conv_out", 4, 3)
    #expect(Self.weights.listing.sorted() == expected.sorted())
  }

  @Test(
    "The published ones of Stable Diffusion and FLUX have as many weights",
    arguments: [
      (4, true, 83_653_863, 248), (16, false, 83_819_683, 244),
    ])
  func size(latents: Int, convolutions: Bool, elements: Int, arrays: Int) {
    var config = AutoencoderKLConfig()
    (config.widths, config.blocks, config.latentChannels) = ([128, 256, 512, 512], 2, latents)
    (config.hasEncoderConvolution, config.hasDecoderConvolution) = (convolutions, convolutions)
    let weights = Scope.declare { AutoencoderKL($0, config) }
    #expect(weights.elements == elements && weights.count == arrays)
    #expect(config.reduction == 8)
  }

  @Test func oldCheckpointsHaveOtherNamesForAttention() {
    #expect(Self.config.names(for: ["encoder.mid_block.attentions.0.to_q.weight"]) == NameMap())
    let old = Self.config.names(for: ["encoder.mid_block.attentions.0.query.weight"])
    for path in [
      "encoder.mid_block.attentions.0", "decoder.mid_block.attentions.0",
      "encoder.down_blocks.1.attentions.0", "decoder.up_blocks.0.attentions.0",
      "decoder.up_blocks.0.attentions.1",
    ] {
      #expect(old.rules.contains(.rename("\(path).to_out.0", to: "\(path).proj_attn")))
    }
    #expect(old.rules.count == 20)
  }

  @Test("Original checkpoints count the decoder's levels from the highest resolution")
  func originalCheckpoints() {
    let names = Self.config.names(
      for: ["first_stage_model.encoder.mid.block_1.norm1.weight", "model.diffusion_model.x"])
    #expect(names.prefix == "first_stage_model.")
    let plain = Self.config.names(for: ["encoder.mid.block_1.norm1.weight"])
    #expect(plain == Self.config.originalNames)
    for (own, original) in [
      ("encoder.conv_in.weight", "encoder.conv_in.weight"),
      (
        "encoder.down_blocks.1.resnets.0.conv_shortcut.bias",
        "encoder.down.1.block.0.nin_shortcut.bias"
      ),
      ("encoder.down_blocks.0.downsamplers.0.conv.weight", "encoder.down.0.downsample.conv.weight"),
      ("encoder.down_blocks.1.attentions.0.group_norm.bias", "encoder.down.1.attn.0.norm.bias"),
      ("encoder.mid_block.resnets.1.norm2.weight", "encoder.mid.block_2.norm2.weight"),
      ("encoder.mid_block.attentions.0.to_out.0.weight", "encoder.mid.attn_1.proj_out.weight"),
      ("decoder.mid_block.attentions.0.to_q.bias", "decoder.mid.attn_1.q.bias"),
      ("decoder.up_blocks.0.resnets.1.conv1.weight", "decoder.up.1.block.1.conv1.weight"),
      ("decoder.up_blocks.0.attentions.1.to_v.weight", "decoder.up.1.attn.1.v.weight"),
      ("decoder.up_blocks.0.upsamplers.0.conv.bias", "decoder.up.1.upsample.conv.bias"),
      ("decoder.up_blocks.1.resnets.1.norm1.weight", "decoder.up.0.block.1.norm1.weight"),
      ("decoder.conv_norm_out.weight", "decoder.norm_out.weight"),
      ("quant_conv.weight", "quant_conv.weight"),
    ] {
      #expect(plain.diskName(of: own) == original)
      #expect(names.diskName(of: own) == "first_stage_model." + original)
    }
    // Every weight has a name of its own.
    #expect(Set(Self.weights.names.map(plain.diskName)).count == Self.weights.count)
  }

  @Test func everyWeightHasAGradient() throws {
    let given = Named([
      ("image", Numbers.random([2, 4, 6, 3], seed: 3, .float32)),
      ("noise", .random([2, 2, 3, 2], seed: 4, .float32)),
      ("other", .random([2, 4, 6, 3], seed: 5, .float32)),
    ])
    let results = try evaluate(given.merging(Self.weights.random().prefixed("weights"))) { inputs in
      let weights = inputs.group("weights")
      let network = Scope.bind(weights) { AutoencoderKL($0, Self.config) }
      let posterior = network.encode(inputs["image"]!)
      let image = network.decode(posterior.latents(noise: inputs["noise"]!))
      return Named([("mean", posterior.mean), ("image", image)]).merging(
        (image * inputs["other"]!).sum().gradients(for: weights).prefixed("gradients"))
    }
    #expect(results["mean"]!.shape == [2, 2, 3, 2] && results["image"]!.shape == [2, 4, 6, 3])
    let gradients = results.group("gradients")
    #expect(gradients.count == Self.weights.count)
    // A shift of all keys does not change the weights of attention.
    for (name, gradient) in gradients.pairs where !name.hasSuffix("to_k.bias") {
      #expect(gradient.values.contains { abs($0) > 1e-6 }, "the gradient of \(name)")
    }
  }

  @Test func variancesAreBounded() throws {
    var weights = Self.weights.mapValues {
      Numbers([Double](repeating: 0, count: $0.shape.count), $0.shape.sizes, .float32)
    }
    weights["quant_conv.bias"] = Numbers([1, 2, 1000, -1000], nil, .float32)
    let image = Numbers.random([1, 2, 2, 3], .float32)
    let posterior = try evaluate(
      weights.prefixed("weights").merging(Named([("image", image)]))
    ) { inputs in
      let network = Scope.bind(inputs.group("weights")) { AutoencoderKL($0, Self.config) }
      let posterior = network.encode(inputs["image"]!)
      return Named([("mean", posterior.mean), ("variance", posterior.logVariance!)])
    }
    #expect(posterior["mean"]!.values == [1, 2])
    #expect(posterior["variance"]!.values == [20, -30])
  }

  @Test func latentsAreScaledForDiffusion() throws {
    let latents = Numbers([1, 2, 3, 4], [1, 1, 2, 2], .float32)
    func scaled(_ config: AutoencoderKLConfig) throws -> (normal: [Double], back: [Double]) {
      let results = try evaluate(Named([("x", latents)])) { inputs in
        let normal = config.normalized(inputs["x"]!)
        return Named([("normal", normal), ("back", config.denormalized(normal))])
      }
      return (results["normal"]!.values, results["back"]!.values)
    }
    var config = Self.config
    (config.scale, config.shift) = (2, 0.5)
    var found = try scaled(config)
    #expect(found.normal == [1, 3, 5, 7])
    expectClose(found.back, latents.values, relative: 1e-6)
    (config.means, config.deviations) = ([1, 0], [2, 4])
    found = try scaled(config)
    #expect(found.normal == [0, 1, 2, 2])
    expectClose(found.back, latents.values, relative: 1e-6)
  }
}
