import Layers
import Recipe
import Tensors
import Weights

/// The configuration of a `ClassDiT`, in the form of diffusers' `config.json`.
///
/// Keys that do not change the result (`dropout`, `norm_num_groups`, `upcast_attention`) are not
/// read.
public struct ClassDiTConfig {
  /// The height and width of the latents in training.
  public var size = 32
  /// The channels of latents.
  public var channels = 4
  /// The channels of the prediction: twice those of latents where variances are learned.
  public var outputChannels = 4
  /// The height and width of the patches that become tokens.
  public var patch = 2
  /// The heads of attention.
  public var heads = 16
  /// The features of a head.
  public var headWidth = 72
  /// The number of blocks.
  public var depth = 28
  /// The number of classes; one more stands for no class.
  public var classes = 1000
  /// Whether the maps to queries, keys and values have a bias.
  public var hasAttentionBias = true
  /// Whether the blocks' MLPs use GELU's approximation with tanh.
  public var approximatesGELU = true
  /// Whether the norm before a block's MLP has a weight and a bias.
  public var hasNormWeights = false
  /// The epsilon of that norm.
  public var normEpsilon = 1e-5
  /// How the stack of blocks is executed.
  public var execution = StackExecution.scanned

  /// Makes the sizes of DiT-XL/2.
  public init() {}

  /// The features of a token.
  public var width: Int { heads * headWidth }

  /// The names of the parameters on disk, which are those in memory.
  public var names: NameMap { NameMap() }

  /// Whether an array on disk is the table of positions, which is computed instead.
  public static func isUnused(_ name: String) -> Bool { name == "pos_embed.pos_embed" }

  enum CodingKeys: String, CodingKey {
    case size = "sample_size"
    case channels = "in_channels"
    case outputChannels = "out_channels"
    case patch = "patch_size"
    case heads = "num_attention_heads"
    case headWidth = "attention_head_dim"
    case depth = "num_layers"
    case classes = "num_embeds_ada_norm"
    case hasAttentionBias = "attention_bias"
    case activation = "activation_fn"
    case hasNormWeights = "norm_elementwise_affine"
    case normEpsilon = "norm_eps"
    case normType = "norm_type"
    case className = "_class_name"
    case execution
  }

  /// Decodes the configuration; absent keys have their published defaults.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try keys.expect(.className, "DiTTransformer2DModel")
    try keys.expect(.normType, "ada_norm_zero")
    try keys.expect(.activation, "gelu-approximate", "gelu")
    size = try keys.value(.size, default: size, in: SizeLimit.pixels)
    channels = try keys.value(.channels, default: channels, in: SizeLimit.features)
    let output = try keys.decodeIfPresent(Int.self, forKey: .outputChannels)
    outputChannels =
      try output == nil ? channels : keys.value(.outputChannels, in: SizeLimit.features)
    patch = try keys.value(.patch, default: patch, in: SizeLimit.patch)
    heads = try keys.value(.heads, default: heads, in: SizeLimit.features)
    headWidth = try keys.value(.headWidth, default: headWidth, in: SizeLimit.features)
    depth = try keys.value(.depth, default: depth, in: SizeLimit.layers)
    classes = try keys.value(.classes, default: classes, in: SizeLimit.classes)
    hasAttentionBias = try keys.value(.hasAttentionBias, default: hasAttentionBias)
    approximatesGELU =
      try keys.value(.activation, default: "gelu-approximate") == "gelu-approximate"
    hasNormWeights = try keys.value(.hasNormWeights, default: hasNormWeights)
    normEpsilon = try keys.value(
      .normEpsilon, default: normEpsilon, where: { $0 >= 0 }, "it must be 0 or more")
    execution = try keys.execution(.execution, depth: depth)
    guard SizeLimit.features.contains(width), width % 4 == 0 else {
      throw InvalidRecipeValue(
        CodingKeys.headWidth, headWidth,
        "with \(heads) heads it makes \(width) features, and a multiple of 4 of at most "
          + "\(SizeLimit.features.upperBound) was expected")
    }
    guard size % patch == 0 else {
      throw InvalidRecipeValue(CodingKeys.patch, patch, "it must divide the size, \(size)")
    }
  }

  /// Encodes the published form.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode("DiTTransformer2DModel", forKey: .className)
    try keys.encode(size, forKey: .size)
    try keys.encode(channels, forKey: .channels)
    try keys.encode(outputChannels, forKey: .outputChannels)
    try keys.encode(patch, forKey: .patch)
    try keys.encode(heads, forKey: .heads)
    try keys.encode(headWidth, forKey: .headWidth)
    try keys.encode(depth, forKey: .depth)
    try keys.encode(classes, forKey: .classes)
    try keys.encode(hasAttentionBias, forKey: .hasAttentionBias)
    try keys.encode(approximatesGELU ? "gelu-approximate" : "gelu", forKey: .activation)
    try keys.encode(hasNormWeights, forKey: .hasNormWeights)
    try keys.encode(normEpsilon, forKey: .normEpsilon)
    try keys.encode("ada_norm_zero", forKey: .normType)
    try keys.encode(execution, .execution, depth: depth)
  }
}

extension ClassDiTConfig: StackedArchitecture {
  /// The name in recipes.
  public static let kind = "class-dit"

  /// The network, bound to the weights of a scope.
  public func network(_ scope: Scope) -> ClassDiT { ClassDiT(scope, self) }

  /// Latents and their classes.
  public func inputs(_ size: ImageSize?) -> [InputSpec] {
    let size = size ?? ImageSize(height: self.size, width: self.size)
    return [.sample([size.height, size.width, channels]), .classIndex(of: classes)]
  }

  /// Samples are the latents of an `AutoencoderKL`.
  public var worksOnLatents: Bool { true }
}
