import Layers
import Recipe
import Tensors

/// The sizes of a class-conditional diffusion transformer.
public struct DiTConfig {
  /// The height and width of the training images; other batches may have other sizes.
  public var size = 28
  /// The channels of the images.
  public var channels = 1
  /// The height and width of the patches that become tokens.
  public var patch = 4
  /// The features of a token.
  public var width = 192
  /// The number of blocks.
  public var depth = 6
  /// The heads of attention.
  public var heads = 3
  /// The hidden features of a block's MLP as a multiple of the width.
  public var mlpRatio = 4
  /// The number of classes; one more stands for no class.
  public var classes = 10
  /// The factor on times before their sinusoidal features.
  public var timeScale = 1000.0
  /// Whether the twin trajectory has an output head of its own.
  public var hasTwinHead = false
  /// How the stack of blocks is executed.
  public var execution = StackExecution.unrolled

  /// Makes the sizes of the demo's network.
  public init() {}

  /// The numbers of a patch.
  var patchFeatures: Int { patch * patch * channels }

  /// The values of absent keys.
  public static let defaults = Self()

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("size", \.size, in: SizeLimit.pixels, "height and width of the images"),
    Field("channels", \.channels, in: SizeLimit.features, "channels of the images"),
    Field(
      "patch", \.patch, in: SizeLimit.pixels,
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
      "time_scale", \.timeScale, where: { $0 > 0 }, else: "it must be above 0",
      "factor on times before their sinusoidal features"),
    twinHead(\.chosenTwinHead),
    Field(
      "execution", \.execution,
      "unrolled runs fastest, scanned compiles fastest, recomputed is smallest"
    ).otherwise("`unrolled`, above 24 blocks `scanned`") {
      $0.execution = .standard(depth: $0.depth)
    },
  ]

  /// Checks that the sizes fit each other.
  public func validate() throws {
    try check(execution, \.execution, depth: depth)
    guard size % patch == 0 else {
      throw invalid(\.patch, "it must divide the size, \(size)")
    }
    guard width % heads == 0 else {
      throw invalid(\.heads, "it must divide the width, \(width)")
    }
  }
}

extension DiTConfig: FeatureArchitecture {
  /// The width of the tokens.
  public var featureWidth: Int { width }
  /// The number of blocks.
  public var featureLayers: Int { depth }
}

extension DiTConfig: TwinHeadedArchitecture {
  /// The last modulation and the map to pixels.
  public var head: [String] { ["modulation", "output"] }

  /// The head for the twin trajectory starts as a copy of the other one.
  public var added: [AddedParameters] { addedHead }
}

extension DiTConfig: StackedArchitecture {
  /// The name in recipes.
  public static let kind = "dit"

  /// The embedded condition can be shifted.
  public static let takesConditionShift = true

  /// The description in the reference.
  public static let summary = """
    A class-conditional diffusion transformer (Peebles and Xie, 2023) with a second time embedder: its
    time features are `E₁(t) + E₂(tt)·(t − tt)`, so that at tt = t it is the ordinary one.
    """

  /// The network, bound to the weights of a scope.
  public func network(_ scope: Scope) -> DiT { DiT(scope, self) }

  /// Images, and their classes.
  public func inputs(_ size: ImageSize?) -> [InputSpec] {
    let size = size ?? ImageSize(height: self.size, width: self.size)
    return [.sample([size.height, size.width, channels]), .classIndex(of: classes)]
  }
}
