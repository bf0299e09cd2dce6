import Layers
import Tensors

/// The vision tower of Qwen3-VL, which turns images into tokens of the language model: Qwen Team, "Qwen3-VL
/// technical report", 2025.
///
/// A transformer on patches with learned positions, which are interpolated for each image's size, and rotary
/// ones along rows and columns; a patch sees the whole image. Squares of patches are merged into one token
/// after the last layer, and after some layers before it; `Qwen3VLVisionModel` of transformers.
public struct Qwen3VLVision: VisionTowerNetwork {
  let config: Qwen3VLVisionConfig
  let embedding: Tensor
  let embeddingBias: Tensor
  let positions: Tensor
  let blocks: Stack<Qwen3VLVisionBlock>
  let merger: Qwen3VLMerger
  let deepMergers: [Qwen3VLMerger]

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: Qwen3VLVisionConfig) {
    self.config = config
    let patches = scope / "patch_embed" / "proj"
    embedding = patches.weight(
      "weight", [config.width, config.channels, config.frames, config.patch, config.patch],
      .fanIn(config.patchValues), axes: [.embed])
    embeddingBias = patches.weight("bias", [config.width], .zeros, axes: [.embed])
    positions = (scope / "pos_embed").weight(
      "weight", [config.positions, config.width], .normal(0.02), axes: [nil, .embed])
    blocks = Stack(scope / "blocks", count: config.depth, execution: config.execution) {
      Qwen3VLVisionBlock($0, config)
    }
    merger = Qwen3VLMerger(scope / "merger", config, mergesFirst: false)
    deepMergers = config.deepLayers.indices.map {
      Qwen3VLMerger(scope / "deepstack_merger_list" / $0, config, mergesFirst: true)
    }
  }

  /// Embeds images, see `VisionTowerNetwork`; the deep features are in the order of their layers.
  public func features(
    _ patches: Tensor, grids: [TokenGrid], in dtype: DType = .float32
  ) -> VisionFeatures {
    config.check(patches, grids)
    let layout = VisionWindows(grids, merge: config.merge)
    let matrix = embedding.reshape([config.width, -1]).cast(to: dtype)
    let embedded =
      patches.cast(to: dtype).dot(matrix, contracting: ([1], [1])) + embeddingBias.cast(to: dtype)
    let places = InterpolatedPositions(grids, layout, side: config.side)
    let x = (embedded + places(positions).cast(to: dtype)).expanded([0])
    let rotary = layout.rotary(width: config.headWidth, base: config.theta)
    let (last, states) = blocks.states(x, config.deepLayers.map { $0 + 1 }) { block, x, _ in
      block(x, layout.images, rotary)
    }
    let deep = zip(config.deepLayers, deepMergers).sorted { $0.0 < $1.0 }
    return VisionFeatures(
      embeddings: merger(last), deep: deep.map { layer, merger in merger(states[layer + 1]!) })
  }
}

/// One layer: attention, then an MLP, each on normalized patches.
struct Qwen3VLVisionBlock {
  let attentionNorm: LayerNorm
  let attention: VisionAttention
  let mlpNorm: LayerNorm
  let mlp: MLP

  init(_ scope: Scope, _ config: Qwen3VLVisionConfig) {
    let (width, activation) = (config.width, config.activation)
    attentionNorm = LayerNorm(scope / "norm1", width)
    attention = VisionAttention(scope / "attn", width: width, heads: config.heads)
    mlpNorm = LayerNorm(scope / "norm2", width)
    let maps = scope / "mlp"
    mlp = MLP(
      maps.linear("linear_fc1", width, config.hidden, from: .embed, to: .hidden),
      maps.linear("linear_fc2", config.hidden, width, from: .hidden, to: .embed)
    ) { activation($0) }
  }

  /// Patches `[1, patches, width]` to the same shape.
  ///
  /// - Parameter groups: the patches that see each other.
  func callAsFunction(_ x: Tensor, _ groups: [VisionWindows.Groups], _ rotary: Rotary) -> Tensor {
    let h = x + attention(attentionNorm(x), groups, rotary)
    return h + mlp(mlpNorm(h))
  }
}

/// Merges squares of patches into tokens of the language model: a norm, then an MLP on the joined features.
struct Qwen3VLMerger {
  let norm: LayerNorm
  let mlp: MLP
  let width: Int
  let mergesFirst: Bool

  /// Makes a merger.
  ///
  /// - Parameter mergesFirst: whether the joined features are normalized, and not those of each patch.
  init(_ scope: Scope, _ config: Qwen3VLVisionConfig, mergesFirst: Bool) {
    width = config.width * config.merge * config.merge
    norm = LayerNorm(scope / "norm", mergesFirst ? width : config.width)
    mlp = MLP(
      scope.linear("linear_fc1", width, width, from: .embed, to: .hidden),
      scope.linear("linear_fc2", width, config.output, from: .hidden, to: .embed)
    ) { $0.gelu() }
    self.mergesFirst = mergesFirst
  }

  /// Patches `[1, patches, width]`, those of a square side by side, to tokens `[tokens, output]`.
  func callAsFunction(_ x: Tensor) -> Tensor {
    let joined = mergesFirst ? norm(x.reshape([1, -1, width])) : norm(x).reshape([1, -1, width])
    return mlp(joined)[0]
  }
}
