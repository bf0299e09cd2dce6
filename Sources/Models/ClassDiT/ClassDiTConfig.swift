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
}

extension ClassDiTConfig: RecipeGroup {
  /// The values of absent keys.
  public static let defaults = Self()

  /// The description in the reference.
  public static let summary = """
    The published class-conditional diffusion transformer (Peebles and Xie, 2023), by the keys of
    diffusers' `config.json`.
    """

  /// The keys of recipes and of `config.json`.
  public static let fields: [Field] = [
    Field("_class_name", only: "DiTTransformer2DModel", "diffusers' class"),
    Field("norm_type", only: "ada_norm_zero", "the norm of blocks"),
    Field("sample_size", \.size, in: SizeLimit.pixels, "height and width of the latents"),
    Field("in_channels", \.channels, in: SizeLimit.features, "channels of latents"),
    Field(
      "out_channels", \.optionalOutputChannels, in: SizeLimit.features,
      "channels of the prediction: twice those of latents where variances are learned"
    ).otherwise("`in_channels`") { $0.outputChannels = $0.channels },
    Field("patch_size", \.patch, in: SizeLimit.patch, "height and width of patches"),
    Field("num_attention_heads", \.heads, in: SizeLimit.features, "heads of attention"),
    Field("attention_head_dim", \.headWidth, in: SizeLimit.features, "features of a head"),
    Field("num_layers", \.depth, in: SizeLimit.layers, "blocks"),
    Field(
      "num_embeds_ada_norm", \.classes, in: SizeLimit.classes,
      "classes; one more index stands for none"),
    Field("attention_bias", \.hasAttentionBias, "whether queries, keys and values have biases"),
    Field(
      "activation_fn", \.activation, where: { $0 == approximateGELU || $0 == exactGELU },
      else: "only \(approximateGELU) or \(exactGELU) is supported", "activation of the MLPs"),
    Field(
      "norm_elementwise_affine", \.hasNormWeights,
      "whether the norm before a block's MLP has a weight and a bias"),
    Field(
      "norm_eps", \.normEpsilon, where: { $0 >= 0 }, else: "it must be 0 or more",
      "epsilon of that norm"),
    execution(\.chosenExecution) { $0.execution = .standard(depth: $0.depth) },
  ]

  /// Checks that the sizes fit each other.
  public func validate() throws {
    try check(execution, \.chosenExecution, depth: depth)
    guard SizeLimit.features.contains(width), width % 4 == 0 else {
      throw invalid(
        \.headWidth,
        "with \(heads) heads it makes \(width) features, and a multiple of 4 of at most "
          + "\(SizeLimit.features.upperBound) was expected")
    }
    guard size % patch == 0 else {
      throw invalid(\.patch, "it must divide the size, \(size)")
    }
  }

  private static let (approximateGELU, exactGELU) = ("gelu-approximate", "gelu")

  private var activation: String {
    get { approximatesGELU ? Self.approximateGELU : Self.exactGELU }
    set { approximatesGELU = newValue == Self.approximateGELU }
  }

  /// The channels of the prediction, where null stands for those of latents.
  private var optionalOutputChannels: Int? {
    get { outputChannels }
    set { outputChannels = newValue ?? channels }
  }

  /// How the stack is run, nil for the default of its depth.
  private var chosenExecution: StackExecution? {
    get { execution.chosen(depth: depth) }
    set { execution = newValue ?? .standard(depth: depth) }
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
