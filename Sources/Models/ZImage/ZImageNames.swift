import Layers
import Tensors
import Weights

extension ZImageConfig: PublishedTransformer {
  /// The name in recipes.
  public static let kind = "z_image"

  /// The embedded condition can be shifted.
  public static let takesConditionShift = true

  /// The network, bound to the weights of a scope.
  public func network(_ scope: Scope) -> ZImage { ZImage(scope, self) }

  /// Latents and text.
  public func inputs(_ size: ImageSize?) -> [InputSpec] {
    let size = size ?? ImageSize(height: 128, width: 128)
    return [.sample([size.height, size.width, channels])]
      + InputSpec.text(tokens: Self.longestText, width: textWidth)
  }

  /// The number of text tokens that the published pipeline takes at most.
  public static let longestText = 512

  /// Samples are the latents of an `AutoencoderKL`.
  public var worksOnLatents: Bool { true }

  /// The names of diffusers, and those of the original network, which has one map to queries, keys and
  /// values; each also as in ComfyUI's files.
  public var layouts: [NameMap] {
    let patch = patchName(patchIndex)
    var original: [NameMap.Rule] = [
      .rename("all_x_embedder.\(patch)", to: "x_embedder"),
      .rename("all_final_layer.\(patch)", to: "final_layer"),
    ]
    for stack in ["layers", "noise_refiner", "context_refiner"] {
      let attention = "\(stack).*.attention"
      original += [
        .split(
          disk: "\(attention).qkv", ["to_q", "to_k", "to_v"].map { "\(attention).\($0)" }),
        .rename("\(attention).to_out.0", to: "\(attention).out"),
        .rename("\(attention).norm_q", to: "\(attention).q_norm"),
        .rename("\(attention).norm_k", to: "\(attention).k_norm"),
      ]
    }
    return NameMap.published(
      [NameMap(), NameMap(original)], renaming: Self.targetEmbedder,
      to: "extended_weights.t_embedder_2")
  }

  /// The map that follows attention, and a token that the network's predecessor, Lumina, does not have.
  public static let landmarks = ["layers.*.attention.to_out.0.weight", "x_pad_token"]

  /// The second time embedder.
  public static let targetEmbedder = "t_embedder_2"

  /// The second time embedder starts from fresh values.
  public var added: [AddedParameters] {
    hasTargetTime ? [AddedParameters(Self.targetEmbedder, .initialized)] : []
  }

  /// An affine weight of the last norm, which original checkpoints have and no layer uses.
  public func ignores(_ array: String) -> Bool {
    layouts.contains { $0.prefix + "norm_final.weight" == array }
  }

  /// The config that the shapes of arrays imply. Heads are recognized by their norms.
  public init(_ arrays: CheckpointArrays, like base: Self?) throws(UnknownSizes) {
    self = base ?? Self()
    hasTargetTime = false
    if let picture = arrays.diskNames.first(where: { $0.contains("siglip") }) {
      throw UnknownSizes("its \(picture) embeds pictures, which is not supported")
    }
    let features = try arrays.shape("all_x_embedder.\(patchName(patchIndex)).weight", axes: 2)
    let area = patch * patch
    guard features[1] % area == 0 else {
      throw UnknownSizes("its \(features[1]) input features are no patches of \(patch)²")
    }
    (width, channels) = (features[0], features[1] / area)
    textWidth = try arrays.shape("cap_embedder.1.weight", axes: 2)[1]
    depth = try arrays.layers(Self.landmarks[0])
    refinerDepth = try arrays.layers("noise_refiner.*.attention.to_out.0.weight")
    let norm = "layers.*.attention.norm_q.weight"
    hasHeadNorms = arrays.shape(norm) != nil
    let head = hasHeadNorms ? try arrays.shape(norm, axes: 1)[0] : headWidth
    guard rotaryAxes.reduce(0, +) == head, width % head == 0 else {
      throw UnknownSizes(
        "its heads of \(head) features have unknown rotary axes: put its config.json beside it")
    }
    heads = width / head
    execution = .standard(depth: depth)
  }
}
