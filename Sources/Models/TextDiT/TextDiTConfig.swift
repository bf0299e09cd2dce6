import Layers
import Recipe

/// The sizes of a `TextDiT`, in recipes and in the `config.json` of a folder of its weights.
public struct TextDiTConfig: Hashable, Sendable {
  /// What the network's samples are.
  public enum Space: String, Codable, Hashable, Sendable, CaseIterable {
    /// The pixels of images.
    case pixels
    /// The latents of an autoencoder.
    case latents
  }

  /// What the samples are.
  public var space = Space.pixels
  /// The height and width of the training images, or of their latents; others can be made.
  public var size = 64
  /// The channels of the images or latents.
  public var channels = 3
  /// The height and width of the patches that become tokens.
  public var patch = 4
  /// The features of each pixel in convolutions before and after the blocks; 0 for none.
  public var stem = 0
  /// Whether the network predicts what the best linear estimate of the velocity from its input leaves.
  public var preconditioning = false
  /// The features of a token.
  public var width = 192
  /// The number of blocks.
  public var depth = 8
  /// The heads of attention.
  public var heads = 3
  /// The hidden features of a block's MLP as a multiple of the width.
  public var mlpRatio = 4
  /// The features of a text token.
  public var textWidth = 384
  /// Whether there is a second time embedder, for the target time.
  public var hasTargetTime = false
  /// Whether the twin trajectory has an output head of its own.
  public var hasTwinHead = false
  /// How the stack of blocks is executed.
  public var execution = StackExecution.unrolled

  /// Makes the sizes of the network for emoji.
  public init() {}

  /// The features of a head.
  var headWidth: Int { width / heads }

  /// The numbers of a patch, with a stem those of its features.
  var patchFeatures: Int { patch * patch * (stem > 0 ? stem : channels) }
}

extension TextDiTConfig: RecipeGroup {
  /// The values of absent keys.
  public static let defaults = Self()

  /// The description in the reference.
  public static let summary = """
    A diffusion transformer on text (after Peebles and Xie, 2023), in pixels or latents: image tokens
    attend to each other and to the tokens of the text in one attention, and the mean of the text
    modulates the blocks together with the time. Its time features are `E₁(t) + E₂(tt)·(t − tt)` with a
    second time embedder, which is added where the objective needs it.
    """

  /// The keys of recipes and of `config.json`.
  public static let fields: [Field] = [
    Field("_class_name", only: className, "the class in `config.json`"),
    Field("space", \.space, "pixels, or the latents of the encoders' autoencoder"),
    Field("size", \.size, in: SizeLimit.pixels, "height and width of the images or latents"),
    Field("channels", \.channels, in: SizeLimit.features, "channels of the images or latents"),
    Field(
      "patch", \.patch, in: SizeLimit.patch,
      "height and width of the patches that become tokens; divides the size"),
    Field(
      "stem", \.stem, in: 0...SizeLimit.features.upperBound,
      "features of each pixel in convolutions before and after the blocks, which let patches be "
        + "large; 0 for none"),
    Field(
      "preconditioning", \.preconditioning,
      "whether the network predicts what a linear estimate from its input leaves: one step from "
        + "noise need not reproduce the noise"),
    Field(
      "width", \.width, where: { SizeLimit.features.contains($0) && $0 % 4 == 0 },
      else: "it must be a multiple of 4, at most \(SizeLimit.features.upperBound)",
      "features of a token"),
    Field("depth", \.depth, in: SizeLimit.layers, "blocks"),
    Field(
      "heads", \.heads, in: SizeLimit.features,
      "heads of attention; each has a multiple of 4 features"),
    Field(
      "mlp_ratio", \.mlpRatio, in: 1...256, "hidden width of the MLP, as a multiple of the width"),
    Field("text_width", \.textWidth, in: SizeLimit.features, "features of a text token"),
    Field(
      "target_times", \.hasTargetTime, "whether there is a second time embedder, for target times"),
    twinHead(\.chosenTwinHead),
    execution(\.chosenExecution) { $0.execution = .standard(depth: $0.depth) },
  ]

  /// Checks that the sizes fit each other.
  public func validate() throws {
    try check(execution, \.chosenExecution, depth: depth)
    guard size % patch == 0 else {
      throw invalid(\.patch, "it must divide the size, \(size)")
    }
    guard width % heads == 0, headWidth % 4 == 0 else {
      throw invalid(
        \.heads, "each head must have a multiple of 4 features of the width, \(width)")
    }
    guard space == .latents || channels == 3 else {
      throw invalid(\.channels, "pictures have 3; only latents have other numbers")
    }
  }

  /// How the stack is run, nil for the default of its depth.
  private var chosenExecution: StackExecution? {
    get { execution.chosen(depth: depth) }
    set { execution = newValue ?? .standard(depth: depth) }
  }
}
