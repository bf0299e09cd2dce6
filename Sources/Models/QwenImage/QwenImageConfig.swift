import Layers
import Recipe
import Weights

/// The configuration of a `QwenImage`, in the form of diffusers' `config.json`.
public struct QwenImageConfig: Codable, Hashable, Sendable {
  /// The height and width of the patches of latents that become tokens.
  public var patch = 2
  /// The features of an image token: the channels of latents times the area of a patch.
  public var inputFeatures = 64
  /// The channels of the predicted latents.
  public var outputChannels = 16
  /// The number of blocks.
  public var depth = 60
  /// The features of a head.
  public var headWidth = 128
  /// The heads of attention.
  public var heads = 24
  /// The features of a text token.
  public var textWidth = 3584
  /// The numbers of a head's features that encode a token's image, row and column.
  public var rotaryAxes = [16, 56, 56]
  /// Whether the tokens of reference images are modulated with time 0, as in Qwen-Image-Edit-2511.
  public var hasCleanReferences = false
  /// Whether there is a second time embedder, for the target time: in `config.json` the class
  /// `QwenImageTransformer2DModelWrapper`.
  public var hasTargetTime = false
  /// How the stack of blocks is executed.
  public var execution = StackExecution.scanned

  /// Makes the published sizes.
  public init() {}

  /// The features of a token in the blocks.
  public var width: Int { heads * headWidth }

  /// The names of the parameters on disk, which are those in memory.
  public var names: NameMap { NameMap() }

  /// Names that read the second time embedder from the first one, to start training from published
  /// weights, which have no second one.
  public var namesOfSingleTime: NameMap {
    NameMap([.rename("time_text_embed_2", to: "time_text_embed")])
  }

  enum CodingKeys: String, CodingKey {
    case patch = "patch_size"
    case inputFeatures = "in_channels"
    case outputChannels = "out_channels"
    case depth = "num_layers"
    case headWidth = "attention_head_dim"
    case heads = "num_attention_heads"
    case textWidth = "joint_attention_dim"
    case rotaryAxes = "axes_dims_rope"
    case hasCleanReferences = "zero_cond_t"
    case className = "_class_name"
    case guidance = "guidance_embeds"
    case addedTime = "use_additional_t_cond"
    case layeredRotary = "use_layer3d_rope"
    case execution
  }

  private static let (plain, twoTimes) = (
    "QwenImageTransformer2DModel", "QwenImageTransformer2DModelWrapper"
  )

  /// Reads the sizes; those that are absent keep their published defaults.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try keys.expect(.className, Self.plain, Self.twoTimes)
    try keys.expect(.guidance, false)
    try keys.expect(.addedTime, false)
    try keys.expect(.layeredRotary, false)
    hasTargetTime = try keys.value(.className, default: Self.plain) == Self.twoTimes
    patch = try keys.value(.patch, default: patch, in: SizeLimit.patch)
    inputFeatures = try keys.value(
      .inputFeatures, default: inputFeatures, in: SizeLimit.features)
    let output = try keys.value(.outputChannels, default: Optional(outputChannels))
    outputChannels =
      try output == nil
      ? inputFeatures
      : keys.value(.outputChannels, default: outputChannels, in: SizeLimit.features)
    depth = try keys.value(.depth, default: depth, in: SizeLimit.layers)
    headWidth = try keys.value(.headWidth, default: headWidth, in: SizeLimit.features)
    heads = try keys.value(.heads, default: heads, in: SizeLimit.features)
    textWidth = try keys.value(.textWidth, default: textWidth, in: SizeLimit.features)
    rotaryAxes = try keys.value(
      .rotaryAxes, default: rotaryAxes,
      where: { $0.count == 3 && $0.allSatisfy { SizeLimit.features.contains($0) && $0 % 2 == 0 } },
      "it must be three even numbers above 0")
    hasCleanReferences = try keys.value(.hasCleanReferences, default: hasCleanReferences)
    execution = try keys.execution(.execution, depth: depth)
    guard rotaryAxes.reduce(0, +) == headWidth else {
      throw InvalidRecipeValue(
        CodingKeys.rotaryAxes, rotaryAxes, "their sum must be the width of a head, \(headWidth)")
    }
    guard SizeLimit.features.contains(width) else {
      throw InvalidRecipeValue(
        CodingKeys.heads, heads,
        "of \(headWidth) features each, they are more than \(SizeLimit.features.upperBound)")
    }
  }

  /// Writes the published form.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(hasTargetTime ? Self.twoTimes : Self.plain, forKey: .className)
    try keys.encode(patch, forKey: .patch)
    try keys.encode(inputFeatures, forKey: .inputFeatures)
    try keys.encode(outputChannels, forKey: .outputChannels)
    try keys.encode(depth, forKey: .depth)
    try keys.encode(headWidth, forKey: .headWidth)
    try keys.encode(heads, forKey: .heads)
    try keys.encode(textWidth, forKey: .textWidth)
    try keys.encode(rotaryAxes, forKey: .rotaryAxes)
    if hasCleanReferences { try keys.encode(true, forKey: .hasCleanReferences) }
    try keys.encode(execution, .execution, depth: depth)
  }
}
