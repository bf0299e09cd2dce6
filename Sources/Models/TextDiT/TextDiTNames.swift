import Layers
import Tensors
import Weights

extension TextDiTConfig: TwinHeadedArchitecture {
  /// The last modulation, the map to patches, and the end of the stem.
  public var head: [String] {
    ["modulation", "output"]
      + (stem > 0 ? ["join", "modulation", "output"].map { "stem.\($0)" } : [])
  }
}

extension TextDiTConfig: PublishedTransformer {
  /// The name in recipes.
  public static let kind = "text-dit"

  /// The embedded condition can be shifted.
  public static let takesConditionShift = true

  /// The class in `config.json`.
  public static let className = "TextDiTModel"

  /// The network, bound to the weights of a scope.
  public func network(_ scope: Scope) -> TextDiT { TextDiT(scope, self) }

  /// Images or latents, and text.
  public func inputs(_ size: ImageSize?) -> [InputSpec] {
    let size = size ?? ImageSize(height: self.size, width: self.size)
    return [.sample([size.height, size.width, channels])]
      + InputSpec.text(tokens: Self.longestText, width: textWidth)
  }

  /// The number of text tokens that the pipeline takes at most.
  public static let longestText = 128

  /// Samples are pixels or latents.
  public var worksOnLatents: Bool { space == .latents }

  /// The names in memory.
  public var layouts: [NameMap] { [NameMap()] }

  /// The map of the text's mean, and the modulation of the blocks.
  public static let landmarks = ["pooled_text.input.weight", "blocks.*.modulation.weight"]

  /// The second time embedder.
  public static let targetEmbedder = "time_embed_2"

  /// The second time embedder starts from small values: a copy of the first one would double the embedding of
  /// the time at (t, tt) = (1, 0), which the network has never seen. The head for the twin trajectory starts as
  /// a copy of the other head.
  public var added: [AddedParameters] {
    (hasTargetTime ? [AddedParameters(Self.targetEmbedder, .initialized)] : [])
      + addedHead
  }

  /// There are no marks of other programs.
  public func ignores(_ array: String) -> Bool { false }

  /// The config that the shapes of arrays imply. Heads are recognized by their norms; channels are
  /// those of the other config, or 3.
  public init(_ arrays: CheckpointArrays, like base: Self?) throws(UnknownSizes) {
    self = base ?? Self()
    (hasTargetTime, hasTwinHead) = (false, false)
    let input = try arrays.shape("image_input.weight", axes: 2)
    width = input[0]
    stem = 0
    if arrays.shape("stem.input.weight") != nil {
      let kernel = try arrays.shape("stem.input.weight", axes: 4)
      (stem, channels) = (kernel[0], kernel[1])
    }
    let features = stem > 0 ? stem : channels
    let area = input[1] / features
    guard input[1] % features == 0, let side = (1...area).first(where: { $0 * $0 == area }) else {
      throw UnknownSizes(
        "its \(input[1]) input features are no square patch of \(features) channels")
    }
    patch = side
    if size % patch != 0 { size = patch }
    textWidth = try arrays.shape("text.input.weight", axes: 2)[1]
    depth = try arrays.layers(Self.landmarks[1])
    let head = try arrays.shape("blocks.*.attn.norm_q.weight", axes: 1)[0]
    guard width % head == 0 else {
      throw UnknownSizes("its \(width) features do not make heads of \(head)")
    }
    heads = width / head
    mlpRatio = try arrays.shape("blocks.*.mlp.input.weight", axes: 2)[0] / width
    execution = .standard(depth: depth)
  }
}
