import Layers
import Recipe

/// The configuration of an `SD3`, in the form of diffusers' `config.json`.
public struct SD3Config: Hashable, Sendable {
  /// The height and width of the latents of training, which the table of positions is scaled to.
  public var sampleSize = 128
  /// The height and width of the patches of latents that become tokens.
  public var patch = 2
  /// The channels of latents.
  public var channels = 16
  /// The number of blocks.
  public var depth = 24
  /// The features of a head.
  public var headWidth = 64
  /// The heads of attention.
  public var heads = 24
  /// The features of a text token.
  public var textWidth = 4096
  /// The features of the pooled text.
  public var pooledWidth = 2048
  /// The rows and columns of the table of positions, of which images use the centre.
  public var positionTable = 384
  /// The numbers of the blocks with a second attention among the image's tokens alone.
  public var dualLayers = Array(0..<13)
  /// Whether queries and keys are normalized.
  public var hasHeadNorms = true
  /// Whether there is a second embedder, for the target time: in `config.json` the class
  /// `SD3Transformer2DModelWrapper`.
  public var hasTargetTime = false
  /// How the stacks of blocks are executed.
  public var execution = StackExecution.unrolled
  /// Other channels of predicted latents than those of the latents, which are refused.
  private var otherOutputChannels: Int?
  /// Another width of embedded text tokens than that of the heads, which is refused.
  private var otherProjectedWidth: Int?

  /// Makes the sizes of Stable Diffusion 3.5 medium.
  public init() {}

  /// The features of a token in the blocks.
  public var width: Int { heads * headWidth }

  /// Consecutive blocks with the same layers, which are one stack.
  struct Run: Hashable {
    /// Their numbers.
    let layers: Range<Int>
    /// Whether they have a second attention.
    let hasSecondAttention: Bool

    /// The component of names that stands for a block's number, as in `NameMap`.
    var star: String { layers.lowerBound == 0 ? "*" : "*+\(layers.lowerBound)" }
  }

  /// The stacks of blocks; the last block is in none of them.
  var runs: [Run] {
    let dual = Set(dualLayers)
    var runs: [Run] = []
    for layer in 0..<(depth - 1) {
      let isDual = dual.contains(layer)
      if let last = runs.last, last.hasSecondAttention == isDual {
        runs[runs.count - 1] = Run(
          layers: last.layers.lowerBound..<layer + 1, hasSecondAttention: isDual)
      } else {
        runs.append(Run(layers: layer..<layer + 1, hasSecondAttention: isDual))
      }
    }
    return runs
  }
}

extension SD3Config: RecipeGroup {
  /// The values of absent keys.
  public static let defaults = Self()

  /// The description in the reference.
  public static let summary = """
    The transformer of Stable Diffusion 3 and 3.5, by the keys of diffusers' `config.json`; without keys
    it is 3.5 medium.
    """

  /// The keys of recipes and of `config.json`.
  public static let fields: [Field] = [
    Field(
      "_class_name", \.ownClassName, where: { $0 == className || $0 == twoTimes },
      else: "only \(className) or \(twoTimes) is supported",
      "diffusers' class; the wrapper has an embedder of target times"),
    Field(
      "sample_size", \.sampleSize, in: SizeLimit.pixels,
      "height and width of the latents of training, which positions are scaled to"),
    Field("patch_size", \.patch, in: SizeLimit.patch, "height and width of patches of latents"),
    Field("in_channels", \.channels, in: SizeLimit.features, "channels of latents"),
    Field(
      "out_channels", \.outputChannels, in: SizeLimit.features,
      "channels of the predicted latents; null for `in_channels`, which they must be"),
    Field("num_layers", \.depth, in: SizeLimit.layers, "blocks"),
    Field("attention_head_dim", \.headWidth, in: SizeLimit.features, "features of a head"),
    Field("num_attention_heads", \.heads, in: SizeLimit.features, "heads of attention"),
    Field("joint_attention_dim", \.textWidth, in: SizeLimit.features, "features of a text token"),
    Field(
      "caption_projection_dim", \.projectedWidth, in: SizeLimit.features,
      "features of a text token in the blocks, the heads' together"),
    Field(
      "pooled_projection_dim", \.pooledWidth, in: SizeLimit.features,
      "features of the pooled text"),
    Field(
      "pos_embed_max_size", \.positionTable, in: SizeLimit.table,
      "rows and columns of the table of positions"),
    Field(
      "dual_attention_layers", \.dualLayers, where: { $0.allSatisfy { $0 >= 0 } },
      else: "it must be numbers of blocks",
      "blocks with a second attention among the image's tokens alone"
    ).otherwise("0 to 12; beside `_class_name` none") { _ in },
    Field(
      "qk_norm", \.headNorms, where: { $0 == nil || $0 == rms },
      else: "only \(rms) or null is supported", "norm of queries and keys"
    ).otherwise("\(rms); beside `_class_name` none") { _ in },
    execution(\.chosenExecution) { $0.execution = .standard(depth: $0.depth) },
  ]

  /// Checks that the sizes fit each other.
  public func validate() throws {
    try check(execution, \.chosenExecution, depth: depth)
    guard SizeLimit.features.contains(width), width % 4 == 0 else {
      throw invalid(
        \.heads,
        "of \(headWidth) features each, they must have a multiple of 4, at most "
          + "\(SizeLimit.features.upperBound)")
    }
    guard sampleSize >= patch else {
      throw invalid(\.sampleSize, "it must be at least one patch of \(patch)")
    }
    guard projectedWidth == width else {
      throw invalid(\.projectedWidth, "it must be the width of all heads, \(width)")
    }
    guard outputChannels == channels else {
      throw invalid(\.outputChannels, "it must be `in_channels`, \(channels)")
    }
    guard Set(dualLayers).count == dualLayers.count, dualLayers.allSatisfy({ $0 < depth }) else {
      throw invalid(\.dualLayers, "they must be different and below `num_layers`, \(depth)")
    }
  }

  /// diffusers' class of the network without target times.
  public static let className = "SD3Transformer2DModel"

  private static var twoTimes: String { className + "Wrapper" }

  /// The only norm of queries and keys.
  private static let rms = "rms_norm"

  /// The class. A `config.json`, which names it, may leave out what Stable Diffusion 3 does not have.
  private var ownClassName: String {
    get { hasTargetTime ? Self.twoTimes : Self.className }
    set {
      hasTargetTime = newValue == Self.twoTimes
      (dualLayers, hasHeadNorms) = ([], false)
    }
  }

  /// The channels of predicted latents, nil for those of the latents.
  private var outputChannels: Int? {
    get { otherOutputChannels ?? channels }
    set { otherOutputChannels = newValue == channels ? nil : newValue }
  }

  private var projectedWidth: Int {
    get { otherProjectedWidth ?? width }
    set { otherProjectedWidth = newValue == width ? nil : newValue }
  }

  private var headNorms: String? {
    get { hasHeadNorms ? Self.rms : nil }
    set { hasHeadNorms = newValue != nil }
  }

  /// How the stacks are run, nil for the default of their depth.
  private var chosenExecution: StackExecution? {
    get { execution.chosen(depth: depth) }
    set { execution = newValue ?? .standard(depth: depth) }
  }
}
