import Layers
import Tensors
import Weights

extension SiTConfig: PublishedTransformer {
  /// The name in recipes.
  public static let kind = "sit"

  /// The embedded class can be shifted.
  public static let takesConditionShift = true

  /// The class in `config.json`.
  public static let className = "SiTModel"

  /// The network, bound to the weights of a scope.
  public func network(_ scope: Scope) -> SiT { SiT(scope, self) }

  /// Latents and their classes.
  public func inputs(_ size: ImageSize?) -> [InputSpec] {
    let size = size ?? ImageSize(height: self.size, width: self.size)
    return [.sample([size.height, size.width, channels]), .classIndex(of: classes)]
  }

  /// Samples are latents.
  public var worksOnLatents: Bool { true }

  /// The published names: queries, keys and values are one map, but for LoRA.
  public var layouts: [NameMap] {
    let maps = ["to_q", "to_k", "to_v"].map { "blocks.*.attn.\($0)" }
    let output = NameMap.Rule.rename("blocks.*.attn.to_out.0", to: "blocks.*.attn.proj")
    return [NameMap([.split(disk: "blocks.*.attn.qkv", maps), output]), NameMap([output])]
  }

  /// The table of classes, and the modulation of the blocks.
  public static let landmarks = [
    "y_embedder.embedding_table.weight", "blocks.*.adaLN_modulation.1.weight",
  ]

  /// The second time embedder.
  public static let targetEmbedder = "t_embedder_2"

  /// The second time embedder starts from small values: a copy of the first one would double the embedding of
  /// the time at (t, tt) = (1, 0), which the network has never seen.
  public var added: [AddedParameters] {
    hasTargetTime ? [AddedParameters(Self.targetEmbedder, .initialized)] : []
  }

  /// The table of positions is computed.
  public func ignores(_ array: String) -> Bool { array == "pos_embed" }

  /// The config that the shapes of arrays imply. Heads are those of the other config, or of the published
  /// network of that width: 16 from 1024 features on, otherwise of 64 features.
  public init(_ arrays: CheckpointArrays, like base: Self?) throws(UnknownSizes) {
    self = base ?? Self()
    hasTargetTime = false
    let kernel = try arrays.shape("x_embedder.proj.weight", axes: 4)
    (channels, patch) = (kernel[1], kernel[2])
    if kernel[0] != width || base == nil {
      width = kernel[0]
      heads = width >= 1024 ? 16 : max(1, width / 64)
    }
    if size % patch != 0 { size = patch }
    classes = try arrays.shape("y_embedder.embedding_table.weight", axes: 2)[0] - 1
    depth = try arrays.layers(Self.landmarks[1])
    mlpRatio = try arrays.shape("blocks.*.mlp.fc1.weight", axes: 2)[0] / width
    let outputs = try arrays.shape("final_layer.linear.weight", axes: 2)[0] / (patch * patch)
    guard outputs == channels || outputs == 2 * channels else {
      throw UnknownSizes(
        "its \(outputs) output channels are neither its \(channels) nor twice as many")
    }
    hasVariances = outputs != channels
    execution = .standard(depth: depth)
  }
}
