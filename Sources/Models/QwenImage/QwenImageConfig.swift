import Layers
import Recipe

/// The configuration of a `QwenImage`, in the form of diffusers' `config.json`.
public struct QwenImageConfig: Hashable, Sendable {
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
}

extension QwenImageConfig: RecipeGroup {
  /// The values of absent keys.
  public static let defaults = Self()

  /// The description in the reference.
  public static let summary = "Qwen-Image's transformer, by the keys of diffusers' `config.json`."

  /// The keys of recipes and of `config.json`.
  public static let fields: [Field] = [
    Field(
      "_class_name", \.ownClassName, where: { $0 == className || $0 == twoTimes },
      else: "only \(className) or \(twoTimes) is supported",
      "diffusers' class; the wrapper has an embedder of target times"),
    Field("guidance_embeds", only: false, "whether guidance is embedded"),
    Field("use_additional_t_cond", only: false, "whether a further time is embedded"),
    Field("use_layer3d_rope", only: false, "whether layers have positions"),
    Field("patch_size", \.patch, in: SizeLimit.patch, "height and width of patches of latents"),
    Field(
      "in_channels", \.inputFeatures, in: SizeLimit.features,
      "features of an image token: channels of latents times the area of a patch"),
    Field(
      "out_channels", \.optionalOutputChannels, in: SizeLimit.features,
      "channels of the predicted latents; null for `in_channels`"),
    Field("num_layers", \.depth, in: SizeLimit.layers, "blocks"),
    Field("attention_head_dim", \.headWidth, in: SizeLimit.features, "features of a head"),
    Field("num_attention_heads", \.heads, in: SizeLimit.features, "heads of attention"),
    Field("joint_attention_dim", \.textWidth, in: SizeLimit.features, "features of a text token"),
    Field(
      "axes_dims_rope", \.rotaryAxes,
      where: { $0.count == 3 && $0.allSatisfy { SizeLimit.features.contains($0) && $0 % 2 == 0 } },
      else: "it must be three even numbers above 0",
      "features of a head that encode a token's image, row and column"),
    Field(
      "zero_cond_t", \.hasCleanReferences,
      "whether tokens of reference images are modulated with time 0"),
    execution(\.chosenExecution) { $0.execution = .standard(depth: $0.depth) },
  ]

  /// Checks that the sizes fit each other.
  public func validate() throws {
    try check(execution, \.chosenExecution, depth: depth)
    guard inputFeatures % (patch * patch) == 0 else {
      throw invalid(\.inputFeatures, "patches of \(patch)² have a multiple of \(patch * patch)")
    }
    guard rotaryAxes.reduce(0, +) == headWidth else {
      throw invalid(\.rotaryAxes, "their sum must be the width of a head, \(headWidth)")
    }
    guard SizeLimit.features.contains(width) else {
      throw invalid(
        \.heads,
        "of \(headWidth) features each, they are more than \(SizeLimit.features.upperBound)")
    }
  }

  /// diffusers' class of the network without target times.
  public static let className = "QwenImageTransformer2DModel"

  private static var twoTimes: String { className + "Wrapper" }

  private var ownClassName: String {
    get { hasTargetTime ? Self.twoTimes : Self.className }
    set { hasTargetTime = newValue == Self.twoTimes }
  }

  /// The channels of predicted latents, where null stands for the features of a token.
  private var optionalOutputChannels: Int? {
    get { outputChannels }
    set { outputChannels = newValue ?? inputFeatures }
  }

  /// How the stack is run, nil for the default of its depth.
  private var chosenExecution: StackExecution? {
    get { execution.chosen(depth: depth) }
    set { execution = newValue ?? .standard(depth: depth) }
  }
}
