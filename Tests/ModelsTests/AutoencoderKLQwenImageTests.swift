import Layers
import Models
import Tensors
import TestSupport
import Testing
import Weights

@Suite struct AutoencoderKLQwenImageTests {
  static let config: AutoencoderKLQwenImageConfig = {
    var config = AutoencoderKLQwenImageConfig()
    (config.width, config.multiples, config.blocks, config.latentChannels) = (4, [1, 2], 1, 2)
    (config.downsamplesTime, config.attentionScales) = ([true], [0.5])
    (config.means, config.deviations) = ([1, 0], [2, 4])
    return config
  }()
  static let weights = Scope.declare { AutoencoderKLQwenImage($0, config) }

  private func convolution(_ path: String, _ input: Int, _ output: Int, _ kernel: [Int])
    -> [String]
  {
    ["\(path).weight \(Shape([output, input] + kernel))", "\(path).bias [\(output)]"]
  }

  private func residual(_ path: String, _ input: Int, _ output: Int) -> [String] {
    var names = [
      "\(path).norm1.gamma [\(input), 1, 1, 1]", "\(path).norm2.gamma [\(output), 1, 1, 1]",
    ]
    names += convolution("\(path).conv1", input, output, [3, 3, 3])
    names += convolution("\(path).conv2", output, output, [3, 3, 3])
    if input != output { names += convolution("\(path).conv_shortcut", input, output, [1, 1, 1]) }
    return names
  }

  private func attention(_ path: String, _ width: Int) -> [String] {
    ["\(path).norm.gamma [\(width), 1, 1]"]
      + convolution("\(path).to_qkv", width, 3 * width, [1, 1])
      + convolution("\(path).proj", width, width, [1, 1])
  }

  @Test func declaresThePublishedWeights() {
    func middle(_ path: String) -> [String] {
      residual("\(path).resnets.0", 8, 8) + attention("\(path).attentions.0", 8)
        + residual("\(path).resnets.1", 8, 8)
    }
    let cube = [3, 3, 3]
    var expected = convolution("encoder.conv_in", 3, 4, cube)
    // One list of layers: attention at half the resolution, downsampling between the levels.
    expected += residual("encoder.down_blocks.0", 4, 4)
    expected += convolution("encoder.down_blocks.1.resample.1", 4, 4, [3, 3])
    expected += convolution("encoder.down_blocks.1.time_conv", 4, 4, [3, 1, 1])
    expected += residual("encoder.down_blocks.2", 4, 8)
    expected += attention("encoder.down_blocks.3", 8) + middle("encoder.mid_block")
    expected += ["encoder.norm_out.gamma [8, 1, 1, 1]"]
    expected += convolution("encoder.conv_out", 8, 4, cube)
    expected += convolution("quant_conv", 4, 4, [1, 1, 1])
    expected += convolution("post_quant_conv", 2, 2, [1, 1, 1])
    expected += convolution("decoder.conv_in", 2, 8, cube) + middle("decoder.mid_block")
    expected += residual("decoder.up_blocks.0.resnets.0", 8, 8)
    expected += residual("decoder.up_blocks.0.resnets.1", 8, 8)
    expected += convolution("decoder.up_blocks.0.upsamplers.0.resample.1", 8, 4, [3, 3])
    expected += convolution("decoder.up_blocks.0.upsamplers.0.time_conv", 8, 16, [3, 1, 1])
    expected += residual("decoder.up_blocks.1.resnets.0", 4, 4)
    expected += residual("decoder.up_blocks.1.resnets.1", 4, 4)
    expected += ["decoder.norm_out.gamma [4, 1, 1, 1]"]
    expected += convolution("decoder.conv_out", 4, 3, cube)
    #expect(Self.weights.listing.sorted() == expected.sorted())
  }

  @Test func thePublishedOneHasAsManyWeights() {
    let config = AutoencoderKLQwenImageConfig()
    let weights = Scope.declare { AutoencoderKLQwenImage($0, config) }
    #expect(weights.elements == 126_892_531 && weights.count == 194)
  }

  @Test("Original checkpoints have one list of layers each for encoder and decoder")
  func originalCheckpoints() {
    let mark = "encoder.middle.0.residual.0.gamma"
    #expect(Self.config.names(for: Self.weights.names) == NameMap())
    #expect(Self.config.names(for: ["vae." + mark]).prefix == "vae.")
    let names = Self.config.names(for: [mark])
    #expect(names == Self.config.originalNames)
    for (own, original) in [
      ("encoder.conv_in.weight", "encoder.conv1.weight"),
      ("encoder.down_blocks.0.norm2.gamma", "encoder.downsamples.0.residual.3.gamma"),
      ("encoder.down_blocks.1.time_conv.bias", "encoder.downsamples.1.time_conv.bias"),
      ("encoder.down_blocks.2.conv_shortcut.bias", "encoder.downsamples.2.shortcut.bias"),
      ("encoder.down_blocks.3.to_qkv.weight", "encoder.downsamples.3.to_qkv.weight"),
      ("encoder.mid_block.resnets.1.conv2.weight", "encoder.middle.2.residual.6.weight"),
      ("decoder.mid_block.attentions.0.norm.gamma", "decoder.middle.1.norm.gamma"),
      ("decoder.up_blocks.0.resnets.1.conv1.bias", "decoder.upsamples.1.residual.2.bias"),
      ("decoder.up_blocks.0.upsamplers.0.resample.1.bias", "decoder.upsamples.2.resample.1.bias"),
      ("decoder.up_blocks.1.resnets.0.norm1.gamma", "decoder.upsamples.3.residual.0.gamma"),
      ("decoder.norm_out.gamma", "decoder.head.0.gamma"),
      ("quant_conv.weight", "conv1.weight"), ("post_quant_conv.bias", "conv2.bias"),
    ] {
      #expect(names.diskName(of: own) == original)
    }
    #expect(Set(Self.weights.names.map(names.diskName)).count == Self.weights.count)
  }

  /// A single frame does not pass the layers that change time, nor the earlier steps of kernels.
  @Test func everyWeightThatReachesAFrameHasAGradient() throws {
    let given = Named([
      ("image", Numbers.random([2, 4, 6, 3], seed: 3, .float32)),
      ("noise", .random([2, 2, 3, 2], seed: 4, .float32)),
      ("other", .random([2, 4, 6, 3], seed: 5, .float32)),
    ])
    let results = try evaluate(given.merging(Self.weights.random().prefixed("weights"))) { inputs in
      let weights = inputs.group("weights")
      let network = Scope.bind(weights) { AutoencoderKLQwenImage($0, Self.config) }
      let posterior = network.encode(inputs["image"]!)
      let image = network.reconstruct(posterior.latents(noise: inputs["noise"]!))
      return Named([("mean", posterior.mean), ("image", image)]).merging(
        (image * inputs["other"]!).sum().gradients(for: weights).prefixed("gradients"))
    }
    #expect(results["mean"]!.shape == [2, 2, 3, 2] && results["image"]!.shape == [2, 4, 6, 3])
    for (name, gradient) in results.group("gradients").pairs {
      let isUsed = gradient.values.contains { abs($0) > 1e-7 }
      #expect(isUsed == !name.contains("time_conv"), "the gradient of \(name)")
      guard gradient.shape.count == 5, gradient.shape[2...] == [3, 3, 3] else { continue }
      let earlier = Numbers.places(gradient.shape).filter { $0[2] < 2 }
      #expect(earlier.allSatisfy { gradient[$0] == 0 }, "the gradient of \(name)")
    }
  }

  @Test func decodedImagesAreClamped() throws {
    let latents = Numbers.random([1, 2, 2, 2], in: -9...9, .float32)
    var weights = Self.weights.random()
    weights["decoder.conv_out.bias"] = Numbers([2, -2, 0], nil, .float32)
    let given = weights.prefixed("weights").merging(Named([("z", latents)]))
    let results = try evaluate(given) { inputs in
      let network = Scope.bind(inputs.group("weights")) { AutoencoderKLQwenImage($0, Self.config) }
      return Named([
        ("plain", network.reconstruct(inputs["z"]!)), ("clamped", network.decode(inputs["z"]!)),
      ])
    }
    let plain = results["plain"]!.values
    #expect(plain.max()! > 1 && plain.min()! < -1 && plain.contains { abs($0) < 1 })
    #expect(results["clamped"]!.values == plain.map { min(max($0, -1), 1) })
  }

  @Test func normsOfDarkPixelsAreFinite() throws {
    let image = Numbers([Double](repeating: 0, count: 24), [1, 2, 4, 3], .float32)
    var weights = Self.weights.random()
    for name in weights.names where name.hasSuffix("bias") {
      weights[name] = Numbers(
        [Double](repeating: 0, count: weights[name]!.count), weights[name]!.shape, .float32)
    }
    let mean = try evaluate(weights.prefixed("weights").merging(Named([("x", image)]))) { inputs in
      let network = Scope.bind(inputs.group("weights")) { AutoencoderKLQwenImage($0, Self.config) }
      return Named([("mean", network.encode(inputs["x"]!).mean)])
    }["mean"]!
    #expect(mean.values.allSatisfy { $0 == 0 })
  }

  @Test func latentsAreScaledForDiffusion() throws {
    let latents = Numbers([1, 2, 3, 4], [1, 1, 2, 2], .float32)
    let results = try evaluate([latents]) { inputs in
      let normal = Self.config.normalized(inputs[0])
      return [normal, Self.config.denormalized(normal)]
    }
    #expect(results[0].values == [0, 0.5, 1, 1])
    #expect(results[1].values == latents.values)
  }
}
