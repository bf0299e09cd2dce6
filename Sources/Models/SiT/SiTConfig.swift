import Layers
import Recipe
import Tensors

/// The sizes of a `SiT`; by default those of SiT-XL/2.
public struct SiTConfig: Hashable, Sendable {
  /// The height and width of the latents in training.
  public var size = 32
  /// The channels of latents.
  public var channels = 4
  /// The height and width of the patches that become tokens.
  public var patch = 2
  /// The features of a token.
  public var width = 1152
  /// The number of blocks.
  public var depth = 28
  /// The heads of attention.
  public var heads = 16
  /// The hidden features of a block's MLP as a multiple of the width.
  public var mlpRatio = 4
  /// The number of classes; one more stands for no class.
  public var classes = 1000
  /// Whether the output has channels of variances too, which are not used.
  public var hasVariances = true
  /// Whether there is a second time embedder, for the target time.
  public var hasTargetTime = false
  /// How the stack of blocks is executed.
  public var execution = StackExecution.scanned

  /// Makes the sizes of SiT-XL/2.
  public init() {}

  /// The channels of the output.
  var outputChannels: Int { hasVariances ? 2 * channels : channels }
}

extension SiTConfig: RecipeGroup {
  /// The values of absent keys.
  public static let defaults = Self()

  /// The description in the reference.
  public static let summary = """
    A class-conditional diffusion transformer on latents (SiT; Ma and others, 2024), whose published weights
    are read from their `.pt` files. Its time features are `E₁(t) + E₂(tt)·(t − tt)` with a second time
    embedder, which is added where the objective needs it.
    """

  /// The keys of recipes and of `config.json`.
  public static let fields: [Field] = [
    Field("_class_name", only: className, "the class in `config.json`"),
    Field("size", \.size, in: SizeLimit.pixels, "height and width of the latents"),
    Field("channels", \.channels, in: SizeLimit.features, "channels of latents"),
    Field(
      "patch", \.patch, in: SizeLimit.patch,
      "height and width of the patches that become tokens; divides the size"),
    Field(
      "width", \.width, where: { SizeLimit.features.contains($0) && $0 % 4 == 0 },
      else: "it must be a multiple of 4, at most \(SizeLimit.features.upperBound)",
      "features of a token"),
    Field("depth", \.depth, in: SizeLimit.layers, "blocks"),
    Field("heads", \.heads, in: SizeLimit.features, "heads of attention; divides the width"),
    Field(
      "mlp_ratio", \.mlpRatio, in: 1...256, "hidden width of the MLP, as a multiple of the width"),
    Field("classes", \.classes, in: SizeLimit.classes, "classes; one more index stands for none"),
    Field(
      "learn_sigma", \.hasVariances,
      "whether the output has channels of variances too, as published; they are not used"),
    Field(
      "target_times", \.hasTargetTime, "whether there is a second time embedder, for target times"),
    execution(\.chosenExecution) { $0.execution = .standard(depth: $0.depth) },
  ]

  /// Checks that the sizes fit each other.
  public func validate() throws {
    try check(execution, \.chosenExecution, depth: depth)
    guard size % patch == 0 else {
      throw invalid(\.patch, "it must divide the size, \(size)")
    }
    guard width % heads == 0 else {
      throw invalid(\.heads, "it must divide the width, \(width)")
    }
  }

  /// How the stack is run, nil for the default of its depth.
  private var chosenExecution: StackExecution? {
    get { execution.chosen(depth: depth) }
    set { execution = newValue ?? .standard(depth: depth) }
  }
}
