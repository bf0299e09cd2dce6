import Foundation
import Layers
import Models
import Recipe
import Tensors
import Testing

@Suite struct ModelConfigTests {
  static let configs: [(String, ModelConfig)] = [
    ("kind: dit", ModelConfig(DiTConfig())),
    (
      """
      {kind: dit, size: 32, channels: 3, patch: 2, width: 64, depth: 2, heads: 4, mlp_ratio: 3,
       classes: 5, time_scale: 1, execution: recomputed}
      """,
      ModelConfig(
        {
          var config = DiTConfig()
          (config.size, config.channels, config.patch, config.width) = (32, 3, 2, 64)
          (config.depth, config.heads, config.mlpRatio, config.classes) = (2, 4, 3, 5)
          (config.timeScale, config.execution) = (1, .recomputed)
          return config
        }())
    ),
    (
      """
      {kind: class-dit, sample_size: 4, in_channels: 2, patch_size: 2, num_attention_heads: 2,
       attention_head_dim: 4, num_layers: 2, num_embeds_ada_norm: 3}
      """,
      ModelConfig(
        {
          var config = ClassDiTConfig()
          (config.size, config.channels, config.outputChannels, config.patch) = (4, 2, 2, 2)
          (config.heads, config.headWidth, config.depth, config.classes) = (2, 4, 2, 3)
          config.execution = .unrolled
          return config
        }())
    ),
    (
      """
      {kind: qwen_image, _class_name: QwenImageTransformer2DModelWrapper, in_channels: 8,
       out_channels: 2, num_layers: 2, num_attention_heads: 2, attention_head_dim: 8,
       axes_dims_rope: [2, 2, 4], joint_attention_dim: 6}
      """, ModelConfig(QwenImageTests.config)
    ),
    (
      """
      {kind: z_image, time_convention: signed, in_channels: 3, dim: 24, n_layers: 2,
       n_refiner_layers: 1, n_heads: 3, cap_feat_dim: 6, axes_dims: [4, 2, 2]}
      """, ModelConfig(ZImageTests.config)
    ),
    (
      "{kind: tutorial-unet, size: 8, channels: 3, width: 4, features: 6, classes: 2}",
      ModelConfig(
        {
          var config = TutorialUNetConfig()
          (config.size, config.channels, config.width) = (8, 3, 4)
          (config.features, config.classes) = (6, 2)
          return config
        }())
    ),
    (
      "{kind: perceptron, features: 3, width: 8, depth: 2, frequencies: 4, time_scale: 10}",
      ModelConfig(
        {
          var config = PointNetworkConfig()
          (config.features, config.width, config.depth) = (3, 8, 2)
          (config.frequencies, config.timeScale) = (4, 10)
          return config
        }())
    ),
    (
      "{kind: classifier, size: 8, channels: 3, width: 16, features: 6, classes: 2}",
      ModelConfig(
        {
          var config = ClassifierConfig()
          (config.size, config.channels, config.width) = (8, 3, 16)
          (config.features, config.classes) = (6, 2)
          return config
        }())
    ),
  ]

  @Test(arguments: configs.indices) func isReadAndWritten(_ place: Int) throws {
    let (yaml, config) = Self.configs[place]
    #expect(try read(yaml) == config)
    #expect(try read(String(decoding: JSONEncoder().encode(config), as: UTF8.self)) == config)
  }

  @Test(arguments: configs.indices) func bindsWhatItDeclares(_ place: Int) {
    let (_, config) = Self.configs[place]
    let weights = config.weights.mapValues { Tensor.placeholder($0.type()) }
    let model = config.velocityModel(weights)
    guard !config.isGenerative else {
      let x = Tensor.placeholder(TensorType(Shape([2] + config.sampleShape().sizes), .float32))
      let time = Tensor.placeholder(TensorType([2], .float32))
      let conditions = config.conditions.map { ($0.name, Tensor.placeholder($0.type(batch: 2))) }
      let y = model?(x, time: time, target: time, condition: Named(conditions))
      #expect(y?.type == x.type)
      return
    }
    #expect(model == nil)
  }

  /// What cannot be, and what the message must name.
  static let impossible: [(String, String)] = [
    ("{}", "`kind`"), ("kind: vit", "`kind`"), ("{kind: dit, size: 0}", "`size`"),
    ("{kind: dit, patch: 3}", "`patch`"), ("{kind: dit, heads: 5}", "`heads`"),
    ("{kind: dit, width: 6}", "`width`"), ("{kind: dit, depth: 0}", "`depth`"),
    ("{kind: dit, mlp_ratio: 0}", "`mlp_ratio`"), ("{kind: dit, classes: 0}", "`classes`"),
    ("{kind: dit, time_scale: 0}", "`time_scale`"), ("{kind: dit, execution: slow}", "`execution`"),
    ("{kind: dit, features: 3}", "`features`"),
    ("{kind: tutorial-unet, size: 6}", "`size`"), ("{kind: tutorial-unet, width: 0}", "`width`"),
    ("{kind: tutorial-unet, depth: 2}", "`depth`"),
    ("{kind: perceptron, width: 0}", "`width`"),
    ("{kind: perceptron, frequencies: 3}", "`frequencies`"),
    ("{kind: perceptron, classes: 2}", "`classes`"),
    ("{kind: z_image, n_kv_heads: 3}", "`n_kv_heads`"),
    ("{kind: z_image, n_heads: 7}", "`n_heads`"),
    ("{kind: qwen_image, in_channels: 6}", "`in_channels`"),
    ("{kind: classifier, width: 12}", "`width`"), ("{kind: classifier, classes: 1}", "`classes`"),
  ]

  @Test(arguments: impossible)
  func impossibleSizesNameTheKey(_ yaml: String, _ key: String) {
    let error = #expect(throws: RecipeError.self) { _ = try read(yaml) }
    let message = error?.description ?? ""
    #expect(message.contains(key), "\(message)")
  }

  private func read(_ yaml: String) throws -> ModelConfig {
    try RecipeDecoder.decode(yaml: yaml, file: "test.yaml")
  }
}
