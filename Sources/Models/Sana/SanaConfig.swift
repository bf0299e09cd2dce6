import Layers
import Recipe

/// The configuration of a `Sana`, in the form of diffusers' `config.json`.
public struct SanaConfig: Hashable, Sendable {
  /// The channels of latents.
  public var channels = 32
  /// The channels of the output: those of latents, or twice as many with a variance.
  public var outputChannels = 32
  /// The heads of linear attention.
  public var heads = 70
  /// The features of such a head.
  public var headWidth = 32
  /// The number of blocks.
  public var depth = 20
  /// The heads of attention to the text.
  public var crossHeads = 20
  /// The features of such a head.
  public var crossHeadWidth = 112
  /// The features of an embedded text token, which are those of an image token.
  public var crossWidth = 2240
  /// The features of a text token.
  public var textWidth = 2304
  /// The hidden features of the Mix-FFN as a multiple of the width.
  public var mlpRatio = 2.5
  /// Whether the maps of linear attention to queries, keys and values have biases.
  public var hasAttentionBias = false
  /// The height and width of the latents of training.
  public var sampleSize = 32
  /// The height and width of the patches of latents that become tokens.
  public var patch = 1
  /// Whether the norm before the Mix-FFN has weights.
  public var hasNormWeights = false
  /// The ε of the norms of the blocks.
  public var normEpsilon = 1e-6
  /// What the fixed features of positions are divided by; nil for a network without any.
  public var interpolation: Double?
  /// Whether scales of guidance are embedded, as in SANA-Sprint.
  public var hasGuidance = false
  /// The factor of embedded scales of guidance.
  public var guidanceScale = 0.1
  /// Whether queries and keys are normalized, across their heads.
  public var hasQueryNorms = false
  /// A factor of times beside the published 1000.
  public var timeScale = 1.0
  /// Whether there is a second time embedder, for the target time: in `config.json` the class
  /// `SanaTransformer2DModelWrapper`.
  public var hasTargetTime = false
  /// How the stack of blocks is executed.
  public var execution = StackExecution.unrolled

  /// Makes the published sizes of SANA 1.6 B.
  public init() {}

  /// The features of a token in the blocks.
  public var width: Int { heads * headWidth }

  /// The hidden features of the Mix-FFN.
  var hidden: Int { Int(mlpRatio * Double(width)) }

  /// The factor from the flow's times to those that are embedded. SANA-Sprint, which embeds guidance, takes
  /// the flow's times themselves.
  var timeFactor: Double { hasGuidance ? 1 : 1000 * timeScale }

  /// The scale of guidance that SANA-Sprint is published with.
  public static let standardGuidance = 4.5
}

extension SanaConfig: RecipeGroup {
  /// The values of absent keys.
  public static let defaults = Self()

  /// The description in the reference.
  public static let summary = "SANA's transformer, by the keys of diffusers' `config.json`."

  /// The keys of recipes and of `config.json`.
  public static let fields: [Field] = [
    Field(
      "_class_name", \.ownClassName, where: { $0 == className || $0 == twoTimes },
      else: "only \(className) or \(twoTimes) is supported",
      "diffusers' class; the wrapper has an embedder of target times"),
    Field("in_channels", \.channels, in: SizeLimit.features, "channels of latents"),
    Field(
      "out_channels", \.optionalOutputChannels, in: SizeLimit.features,
      "channels of the output: those of latents, or twice as many with a variance, which is not used; "
        + "null for `in_channels`"),
    Field("num_attention_heads", \.heads, in: SizeLimit.features, "heads of linear attention"),
    Field("attention_head_dim", \.headWidth, in: SizeLimit.features, "features of such a head"),
    Field("num_layers", \.depth, in: SizeLimit.layers, "blocks"),
    Field(
      "num_cross_attention_heads", \.crossHeads, in: SizeLimit.features,
      "heads of attention to the text"),
    Field(
      "cross_attention_head_dim", \.crossHeadWidth, in: SizeLimit.features,
      "features of such a head"),
    Field(
      "cross_attention_dim", \.crossWidth, in: SizeLimit.features,
      "features of an embedded text token, which are those of an image token"),
    Field("caption_channels", \.textWidth, in: SizeLimit.features, "features of a text token"),
    Field(
      "mlp_ratio", \.mlpRatio, where: { $0 > 0 && $0 <= 1024 },
      else: "it must be above 0, and at most 1024",
      "hidden features of the Mix-FFN as a multiple of the width"),
    Field(
      "attention_bias", \.hasAttentionBias,
      "whether the maps of linear attention to queries, keys and values have biases"),
    Field(
      "sample_size", \.sampleSize, in: SizeLimit.pixels, "height and width of latents of training"),
    Field("patch_size", \.patch, in: SizeLimit.patch, "height and width of patches of latents"),
    Field(
      "norm_elementwise_affine", \.hasNormWeights,
      "whether the norm before the Mix-FFN has weights"),
    Field(
      "norm_eps", \.normEpsilon, where: { $0 >= 0 }, else: "it must be 0 or more",
      "epsilon of the norms of the blocks"),
    Field(
      "interpolation_scale", \.interpolation, where: { $0.map { $0 > 0 && $0.isFinite } ?? true },
      else: "it must be above 0, or null",
      "what the fixed features of positions are divided by; null for a network without any"),
    Field("guidance_embeds", \.hasGuidance, "whether scales of guidance are embedded"),
    Field(
      "guidance_embeds_scale", \.guidanceScale, where: { $0.isFinite }, else: "it must be finite",
      "factor of embedded scales of guidance"),
    Field(
      "qk_norm", \.queryNorms, where: { $0 == nil || $0 == acrossHeads },
      else: "only null or \(acrossHeads) is supported", "norms of queries and keys"),
    Field(
      "timestep_scale", \.timeScale, where: { $0 > 0 && $0.isFinite }, else: "it must be above 0",
      "factor of times beside the published 1000"),
    execution(\.chosenExecution) { $0.execution = .standard(depth: $0.depth) },
  ]

  /// Checks that the sizes fit each other.
  public func validate() throws {
    try check(execution, \.chosenExecution, depth: depth)
    guard SizeLimit.features.contains(width) else {
      throw invalid(
        \.heads,
        "of \(headWidth) features each, they are more than \(SizeLimit.features.upperBound)")
    }
    guard SizeLimit.features.contains(crossHeads * crossHeadWidth) else {
      throw invalid(
        \.crossHeads,
        "of \(crossHeadWidth) features each, they are more than \(SizeLimit.features.upperBound)")
    }
    guard crossWidth == width else {
      throw invalid(\.crossWidth, "it must be the features of all heads, \(width)")
    }
    guard outputChannels == channels || outputChannels == 2 * channels else {
      throw invalid(
        \.optionalOutputChannels, "it must be the channels of latents, \(channels), or twice that")
    }
    guard SizeLimit.features.contains(hidden) else {
      throw invalid(\.mlpRatio, "of \(width) features, these are \(hidden)")
    }
    guard interpolation == nil || width % 4 == 0 else {
      throw invalid(\.interpolation, "features of positions come in fours, not \(width)")
    }
    guard sampleSize % patch == 0 else {
      throw invalid(\.patch, "it must divide `sample_size`, \(sampleSize)")
    }
  }

  /// diffusers' class of the network without target times.
  public static let className = "SanaTransformer2DModel"

  private static var twoTimes: String { className + "Wrapper" }
  private static let acrossHeads = "rms_norm_across_heads"

  private var ownClassName: String {
    get { hasTargetTime ? Self.twoTimes : Self.className }
    set { hasTargetTime = newValue == Self.twoTimes }
  }

  /// The channels of the output, where null stands for those of latents.
  private var optionalOutputChannels: Int? {
    get { outputChannels }
    set { outputChannels = newValue ?? channels }
  }

  private var queryNorms: String? {
    get { hasQueryNorms ? Self.acrossHeads : nil }
    set { hasQueryNorms = newValue != nil }
  }

  /// How the stack is run, nil for the default of its depth.
  private var chosenExecution: StackExecution? {
    get { execution.chosen(depth: depth) }
    set { execution = newValue ?? .standard(depth: depth) }
  }
}
