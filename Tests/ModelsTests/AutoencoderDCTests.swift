import Foundation
import Layers
import Models
import Tensors
import TestSupport
import Testing
import Weights

@Suite struct AutoencoderDCTests {
  /// Three levels, of which the lowest one has attention.
  static func config(
    _ downsampling: AutoencoderDCConfig.Downsampling, _ upsampling: AutoencoderDCConfig.Upsampling,
    first: Int = 1
  ) -> AutoencoderDCConfig {
    var config = AutoencoderDCConfig()
    (config.downsampling, config.upsampling) = (downsampling, upsampling)
    (config.latentChannels, config.headWidth, config.scale) = (4, 8, 0.5)
    for side in [\AutoencoderDCConfig.encoder, \.decoder] {
      config[keyPath: side].widths = [8, 8, 16]
      config[keyPath: side].layers = [first, 1, 1]
      config[keyPath: side].blocks = [.residual, .residual, .attention]
      config[keyPath: side].kernels = [[], [], [3]]
      config[keyPath: side].norms = [.rms, .rms, .rms]
      config[keyPath: side].activations = [.silu, .silu, .silu]
    }
    return config
  }

  static let variants = [
    config(.pixels, .pixels), config(.convolution, .interpolation),
    config(.pixels, .interpolation, first: 0), config(.convolution, .pixels, first: 0),
  ]

  @Test("The published one of SANA has as many weights")
  func size() {
    var config = AutoencoderDCConfig()
    (config.downsampling, config.upsampling) = (.convolution, .interpolation)
    for side in [\AutoencoderDCConfig.encoder, \.decoder] {
      config[keyPath: side].blocks =
        [.residual, .residual, .residual] + [.attention, .attention, .attention]
    }
    let weights = Scope.declare { AutoencoderDC($0, config) }
    #expect(weights.elements == 312_250_275)
    #expect(config.reduction == 32)
    #expect(config.tile == TileSize(size: 512, stride: 448, reduction: 32))
    #expect(config.tile.size == 512 && config.tile.stride == 448)
  }

  @Test(arguments: variants.indices) func everyWeightHasAGradient(_ number: Int) throws {
    let config = Self.variants[number]
    let specs = Scope.declare { AutoencoderDC($0, config) }
    let given = Named([
      ("image", Numbers.random([2, 8, 12, 3], seed: 3, .float32)),
      ("other", .random([2, 8, 12, 3], seed: 5, .float32)),
    ])
    let results = try evaluate(given.merging(specs.random().prefixed("weights"))) { inputs in
      let weights = inputs.group("weights")
      let network = Scope.bind(weights) { AutoencoderDC($0, config) }
      let latent = network.encode(inputs["image"]!)
      let image = network.decode(latent.mean)
      return Named([
        ("mean", latent.mean), ("noised", latent.latents(noise: latent.mean * 0 + 1)),
        ("image", image),
      ]).merging(
        (image * inputs["other"]!).sum().gradients(for: weights).prefixed("gradients"))
    }
    #expect(results["mean"]!.shape == [2, 2, 3, 4] && results["image"]!.shape == [2, 8, 12, 3])
    // Latents are not random.
    #expect(results["noised"] == results["mean"])
    let gradients = results.group("gradients")
    #expect(gradients.count == specs.count)
    for (name, gradient) in gradients.pairs {
      #expect(gradient.values.contains { abs($0) > 1e-7 }, "the gradient of \(name)")
    }
  }

  @Test(arguments: variants.indices) func whatIsWrittenIsRead(_ number: Int) throws {
    let config = Self.variants[number]
    let json = try JSONEncoder().encode(config)
    #expect(try JSONDecoder().decode(AutoencoderDCConfig.self, from: json) == config)
  }

  @Test func choicesForAllLevelsMayBeOne() throws {
    let json = """
      {"_class_name": "AutoencoderDC", "decoder_norm_types": "batch_norm",
       "decoder_act_fns": ["relu", "relu", "silu", "silu", "silu", "silu"],
       "encoder_block_types": "EfficientViTBlock"}
      """
    let config = try JSONDecoder().decode(AutoencoderDCConfig.self, from: Data(json.utf8))
    #expect(config.decoder.norms == [AutoencoderDCConfig.Norm](repeating: .batch, count: 6))
    #expect(config.decoder.activations[..<3] == [.relu, .relu, .silu])
    #expect(config.encoder.blocks.allSatisfy { $0 == .attention })
    #expect(config.ignores("decoder.up_blocks.0.1.norm.num_batches_tracked"))
    let specs = Scope.declare { AutoencoderDC($0, config) }
    #expect(specs["decoder.up_blocks.0.1.norm.running_var"]?.shape == [128])
  }

  @Test("The maps of Mix-FFNs are convolutions on disk, behind the decoder's upsampling")
  func names() {
    var config = Self.config(.pixels, .pixels)
    config.decoder.blocks = [.attention, .residual, .attention]
    let names = config.names(for: [])
    let paths = [
      "encoder.down_blocks.2.0", "decoder.up_blocks.0.1", "decoder.up_blocks.2.0",
    ]
    #expect(
      names.rules
        == paths.flatMap { path in
          ["conv_inverted", "conv_point"].map {
            .pointwise("\(path).conv_out.\($0).weight", axes: 2)
          }
        })
    let specs = Scope.declare { AutoencoderDC($0, config) }
    for case .pointwise(let name, _) in names.rules { #expect(specs[name]?.shape.rank == 2) }
  }

  @Test(arguments: [
    (#""encoder_block_out_channels": []"#, "encoder_block_out_channels"),
    (#""encoder_block_out_channels": [8, 8]"#, "encoder_layers_per_block"),
    (#""encoder_layers_per_block": [2, 0, 2, 3, 3, 3]"#, "encoder_layers_per_block"),
    (#""encoder_block_types": ["ResBlock"]"#, "encoder_block_types"),
    (#""decoder_block_types": "Transformer""#, "decoder_block_types"),
    (#""decoder_qkv_multiscales": [[], [], [], [4], [5], [5]]"#, "decoder_qkv_multiscales"),
    (#""upsample_block_type": "bilinear""#, "upsample_block_type"),
    (#""downsample_block_type": "pool""#, "downsample_block_type"),
    (#""decoder_norm_types": "group_norm""#, "decoder_norm_types"),
    (#""decoder_act_fns": [1]"#, "decoder_act_fns"), (#""scaling_factor": 0"#, "scaling_factor"),
    (#""latent_channels": 48"#, "encoder_block_out_channels"),
    (#""decoder_block_out_channels": [128, 256, 512, 512, 1024, 768]"#, "decoder_block"),
    (
      #""encoder_block_types": "EfficientViTBlock", "attention_head_dim": 256"#,
      "encoder_block_out_channels"
    ),
  ])
  func unsupportedSettingsAreNamed(_ setting: String, _ key: String) {
    let json = Data("{\(setting)}".utf8)
    let error = #expect(throws: (any Error).self) {
      try JSONDecoder().decode(AutoencoderDCConfig.self, from: json)
    }
    #expect("\(error!)".contains(key), "\(error!)")
  }
}
